#include "transferq/lab/report/summary.hpp"

#include <limits>

namespace tq::lab {
namespace {

// A mean of the rows that have the number.
class Average {
 public:
  void add(const std::optional<double>& x) {
    if (!x) return;
    sum_ += *x;
    ++count_;
  }
  double mean() const {
    return count_ == 0 ? std::numeric_limits<double>::quiet_NaN()
                       : sum_ / static_cast<double>(count_);
  }
  std::size_t count() const { return count_; }

 private:
  double sum_ = 0;
  std::size_t count_ = 0;
};

struct Averages {
  Average reward, kl, gap, gap_bound, kl_bound, error;
};

}  // namespace

std::map<std::string, std::vector<Mean>> means(const std::vector<SweepRow>& rows,
                                               const std::string& sweep) {
  std::map<std::string, std::map<double, Averages>> all;
  for (const SweepRow& r : rows) {
    if (r.sweep != sweep) continue;
    Averages& a = all[r.method][r.value];
    a.reward.add(r.expected_reward);
    a.kl.add(r.kl_to_sft);
    a.gap.add(r.suboptimality);
    a.gap_bound.add(r.suboptimality_bound);
    a.kl_bound.add(r.kl_bound);
    a.error.add(r.value_error);
  }
  std::map<std::string, std::vector<Mean>> out;
  for (const auto& [method, values] : all) {
    for (const auto& [value, a] : values) {
      out[method].push_back({value, a.reward.count(), a.reward.mean(), a.kl.mean(), a.gap.mean(),
                             a.gap_bound.mean(), a.kl_bound.mean(), a.error.mean()});
    }
  }
  return out;
}

std::vector<Ahead> ahead(const std::vector<SweepRow>& rows, const std::string& sweep,
                         const std::string& one, const std::string& other) {
  std::map<double, std::map<std::string, std::pair<std::optional<double>, std::optional<double>>>>
      pairs;  // by value and world
  for (const SweepRow& r : rows) {
    if (r.sweep != sweep) continue;
    if (r.method == one) pairs[r.value][r.world].first = r.expected_reward;
    if (r.method == other) pairs[r.value][r.world].second = r.expected_reward;
  }
  std::vector<Ahead> out;
  for (const auto& [value, worlds] : pairs) {
    Average difference;
    std::size_t wins = 0;
    for (const auto& [world, rewards] : worlds) {
      if (!rewards.first || !rewards.second) continue;
      const double d = *rewards.first - *rewards.second;
      difference.add(d);
      if (d > 1e-12) ++wins;
    }
    if (difference.count() == 0) continue;
    out.push_back({value, difference.count(), wilson(wins, difference.count()), difference.mean()});
  }
  return out;
}

}  // namespace tq::lab
