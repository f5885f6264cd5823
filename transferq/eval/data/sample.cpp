// Which prompts of a set are drawn: those with the smallest of the numbers that the seed gives to
// places in the file. A larger sample goes further in the same order.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "transferq/core/error.hpp"
#include "transferq/core/random.hpp"
#include "transferq/eval/data/prompt_set.hpp"

namespace tq {

void sample_prompts(PromptSet& set, std::size_t count, std::uint64_t seed) {
  if (count == 0) throw Error(ErrorKind::usage, "a sample of 0 prompts; ask for 1 or more");
  if (count > set.prompts.size()) {
    throw Error(ErrorKind::usage,
                fmt::format("a sample of {} from {} different prompts; ask for no more than there "
                            "are, or leave the sample out for all of them",
                            count, set.prompts.size()));
  }
  constexpr std::string_view kUse = "sample of prompts";
  std::vector<double> number(set.prompts.size());
  for (std::size_t i = 0; i < number.size(); ++i) {
    number[i] = uniform({.seed = seed,
                         .prompt = hash32(kUse.data(), kUse.size()),
                         .step = static_cast<std::uint32_t>(i)});
  }
  std::vector<std::size_t> order(number.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return number[a] < number[b]; });
  order.resize(count);
  std::sort(order.begin(), order.end());
  std::vector<Prompt> drawn;
  for (const std::size_t i : order) drawn.push_back(std::move(set.prompts[i]));
  set.prompts = std::move(drawn);
}

}  // namespace tq
