// Sweeps over many worlds, averaged; and how often one method is ahead of another.
//
// Thread-safety: pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "transferq/eval/interval.hpp"
#include "transferq/lab/sweep.hpp"

namespace tq::lab {

// The mean over worlds at one value of a sweep. A mean of what no row has is NaN.
struct Mean {
  double value = 0;
  std::size_t worlds = 0;
  double expected_reward = 0, kl_to_sft = 0, suboptimality = 0;
  double suboptimality_bound = 0, kl_bound = 0, value_error = 0;
};

// By method, in order of the value.
std::map<std::string, std::vector<Mean>> means(const std::vector<SweepRow>& rows,
                                               const std::string& sweep);

// In how many worlds the reward of one method is above that of another, and by how much on average.
struct Ahead {
  double value = 0;
  std::size_t worlds = 0;
  Proportion share;       // with Wilson's 95% interval
  double difference = 0;  // mean reward of the one less that of the other
};

// Differences within rounding (1e-12) are no lead.
std::vector<Ahead> ahead(const std::vector<SweepRow>& rows, const std::string& sweep,
                         const std::string& one, const std::string& other);

}  // namespace tq::lab
