// Counter-based random numbers: a draw is a pure function of its key, so a result does not depend
// on what else was drawn, on threads, or on what shared a batch.
//
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), Philox4x32-10.
#pragma once

#include <array>
#include <cstdint>

namespace tq {

// What a draw is for. Two draws of one run differ in at least one field.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint32_t prompt = 0;     // which prompt of the run (a hash of its id)
  std::uint32_t step = 0;       // position in the response
  std::uint32_t candidate = 0;  // which candidate token or which response
  std::uint32_t sample = 0;     // which roll-out of the candidate
  std::uint32_t position = 0;   // position in the roll-out
};

// Philox4x32 with 10 rounds: four words from a counter and a key.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

// A uniform number in [0, 1) with 53 random bits.
double uniform(const RandomKey& key);

// A 32-bit hash of a text (FNV-1a), for RandomKey::prompt.
std::uint32_t hash32(const char* data, std::size_t size);

}  // namespace tq
