// Rewrites a GGUF model with its weights in another type, by llama.cpp's own quantiser.
//
// Guarantees: the output appears whole or not at all (it is written beside its final place, then
// renamed), and replaces a file that was there; the input is never changed. What a killed process
// left beside it is removed by the next conversion to the same output.
// Thread-safety: calls may run at once unless they write the same output.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace tq::llama {

// The types convert_model knows: f32, f16, bf16, q8_0, q4_0, q4_k_m.
std::span<const std::string> conversion_types();

// f32, f16, bf16 and q8_0 turn every matrix into that type (one-dimensional tensors stay f32, as
// everywhere in llama.cpp); q4_0 and q4_k_m keep a few sensitive matrices at more bits. Quantising
// what is already quantised is allowed and loses precision twice.
// Throws Error: usage for an unknown type (the nearest is offered) or an output that is the input,
// model for an input that is not a whole GGUF model, io for one that can't be read, an output that
// can't be written, or a disk that is full.
void convert_model(const std::filesystem::path& in, const std::filesystem::path& out,
                   std::string_view type);

}  // namespace tq::llama
