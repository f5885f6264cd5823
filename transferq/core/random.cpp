#include "transferq/core/random.hpp"

#include <cstddef>

namespace tq {

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

double uniform(const RandomKey& k) {
  // Six fields for four counter words and two key words: the seed keys a first round that also
  // takes prompt and step; its output keys the second.
  const auto seed_lo = static_cast<std::uint32_t>(k.seed);
  const auto seed_hi = static_cast<std::uint32_t>(k.seed >> 32);
  const auto inner = philox({k.prompt, k.step, 0, 0}, {seed_lo, seed_hi});
  const auto r = philox({k.candidate, k.sample, k.position, inner[2]}, {inner[0], inner[1]});
  const std::uint64_t bits = (std::uint64_t{r[0]} << 32 | r[1]) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

std::uint32_t hash32(const char* data, std::size_t size) {
  std::uint32_t h = 2166136261u;
  for (std::size_t i = 0; i < size; ++i) {
    h = (h ^ static_cast<unsigned char>(data[i])) * 16777619u;
  }
  return h;
}

}  // namespace tq
