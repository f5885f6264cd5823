// A step of a decoder, told to a person: which candidates there were, their values and
// probabilities, and whether the choice is the model's own.
#pragma once

#include <string>

#include "transferq/decode/decoder.hpp"

namespace tq::app {

// A token's text in quotes, with what a line can't show written out.
std::string quoted(const std::string& text);

std::string explain_step(const Step& step, std::size_t number, bool colour);

}  // namespace tq::app
