// The random weights of tiny models: an entry depends on (seed, tensor, row, column) alone. Private
// to this folder. Immutable.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "transferq/core/random.hpp"

namespace tq::llama {

// Sums and products are such that no compiler's contraction or maths library changes a bit.
class Weights {
 public:
  explicit Weights(std::uint64_t seed) : seed_(seed) {}

  // Mean 0, standard deviation `scale`, nearly normal: the sum of four uniform numbers.
  float operator()(std::string_view name, int row, int column, double scale) const {
    const auto words = draw(name, row, column);
    const std::int64_t sum = std::int64_t{words[0]} + words[1] + words[2] + words[3];
    return static_cast<float>(static_cast<double>(sum - (std::int64_t{1} << 33)) *
                              (0x1.0p-32 * std::sqrt(3.0) * scale));
  }

  // A gain of a norm, within 1/8 of 1.
  float gain(std::string_view name, int column) const {
    return static_cast<float>(896 + draw(name, 0, column)[0] % 257) / 1024.0F;
  }

 private:
  std::array<std::uint32_t, 4> draw(std::string_view name, int row, int column) const {
    return philox({static_cast<std::uint32_t>(column), static_cast<std::uint32_t>(row),
                   hash32(name.data(), name.size()), 0},
                  {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  }
  std::uint64_t seed_;
};

}  // namespace tq::llama
