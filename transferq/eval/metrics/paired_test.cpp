#include "transferq/eval/metrics/paired_test.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "transferq/core/error.hpp"
#include "transferq/core/random.hpp"
#include "transferq/eval/metrics/finite.hpp"

namespace tq {
namespace {

constexpr std::size_t kEnumerated = 14;

// All patterns but for the sign of the last difference: a pattern and its opposite count alike.
double exact(const std::vector<double>& differences, double least) {
  const std::size_t patterns = std::size_t{1} << (differences.size() - 1);
  std::size_t count = 0;
  for (std::size_t pattern = 0; pattern < patterns; ++pattern) {
    double sum = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      sum += (pattern >> i & 1) != 0 ? -differences[i] : differences[i];
    }
    if (std::abs(sum) >= least) ++count;
  }
  return static_cast<double>(count) / static_cast<double>(patterns);
}

// Signs are the bits of Philox's words, 128 a call.
double sampled(const std::vector<double>& differences, double least, std::uint64_t seed,
               std::size_t permutations) {
  constexpr std::uint32_t kPurpose = 0x7369676e;  // no other draw has it
  const std::array<std::uint32_t, 2> key{static_cast<std::uint32_t>(seed),
                                         static_cast<std::uint32_t>(seed >> 32)};
  std::size_t count = 0;
  for (std::size_t draw = 0; draw < permutations; ++draw) {
    std::array<std::uint32_t, 4> words{};
    double sum = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      if (i % 128 == 0) {
        words = philox(
            {static_cast<std::uint32_t>(draw), static_cast<std::uint32_t>(i / 128), kPurpose, 0},
            key);
      }
      const bool flip = (words[i % 128 / 32] >> (i % 32) & 1) != 0;
      sum += flip ? -differences[i] : differences[i];
    }
    if (std::abs(sum) >= least) ++count;
  }
  return static_cast<double>(count + 1) / static_cast<double>(permutations + 1);
}

}  // namespace

double paired_permutation_test(std::span<const double> differences, std::uint64_t seed,
                               std::size_t permutations) {
  require_finite(differences, "the differences");
  if (permutations == 0) throw Error(ErrorKind::usage, "a test needs at least one permutation");
  std::vector<double> signed_ones;
  double sum = 0, magnitude = 0;
  for (const double d : differences) {
    if (d == 0) continue;
    signed_ones.push_back(d);
    sum += d;
    magnitude += std::abs(d);
  }
  if (signed_ones.empty()) return 1;
  const double least = std::abs(sum) - 1e-12 * magnitude;
  return signed_ones.size() <= kEnumerated ? exact(signed_ones, least)
                                           : sampled(signed_ones, least, seed, permutations);
}

std::vector<double> holm(std::span<const double> p) {
  for (const double one : p) {
    if (!(one >= 0 && one <= 1)) throw Error(ErrorKind::usage, "a p value lies from 0 to 1");
  }
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> out(p.size());
  double largest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(p.size() - k) * p[order[k]]));
    out[order[k]] = largest;
  }
  return out;
}

}  // namespace tq
