// Does one decoder differ from another? A permutation test of paired differences, and its
// correction where several decoders are compared with one.
//
// If two decoders are alike, each prompt's difference is as likely to have the other sign. The
// statistic is |sum of differences|; p is the share of sign patterns with one at least as large.
// Source: Fisher, "The Design of Experiments" (1935), section 21. Sampled patterns count the one
// observed among them, (count + 1) / (draws + 1), so that p is never 0 and the test stays valid:
// Phipson and Smyth, "Permutation P-values should never be zero" (2010).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tq {

// Two-sided p, one difference a prompt (seeds averaged first). Differences of 0 have no sign and
// change nothing. Up to 14 others all sign patterns are counted and p is exact; beyond, it is
// sampled, a pure function of differences and seed, with a standard error of
// sqrt(p (1 - p) / permutations). The smallest exact p is 2 / 2^n, so fewer than 6 prompts can
// never show one below 0.05. 1 for no differences, or none but 0: there is no evidence. Sums that
// differ by no more than rounding are equal. Throws Error (usage) for a difference that is not
// finite, or no permutations. Pure.
double paired_permutation_test(std::span<const double> differences, std::uint64_t seed,
                               std::size_t permutations = 20000);

// The p values adjusted for being several, in the order given: an adjusted p below 0.05 keeps the
// chance of any false alarm among them below 0.05, however they depend on each other.
//   the k-th smallest of m becomes the largest of min(1, (m - j + 1) p_j) over j = 1 to k
// Source: Holm, "A simple sequentially rejective multiple test procedure" (1979). Throws Error
// (usage) for a p outside [0, 1]. Pure.
std::vector<double> holm(std::span<const double> p);

}  // namespace tq
