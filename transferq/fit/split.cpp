#include "transferq/fit/split.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace tq {
namespace {

// The units of each group, groups in the order of their first unit.
std::vector<std::vector<std::size_t>> members(const std::vector<std::string>& groups) {
  std::vector<std::vector<std::size_t>> out;
  std::unordered_map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto [at, fresh] = place.try_emplace(groups[i], out.size());
    if (fresh) out.emplace_back();
    out[at->second].push_back(i);
  }
  return out;
}

}  // namespace

std::vector<std::size_t> shuffled(std::size_t count, RandomKey key) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = count; i > 1; --i) {
    const auto j = static_cast<std::size_t>(uniform(key) * static_cast<double>(i));
    ++key.position;
    std::swap(order[i - 1], order[j]);
  }
  return order;
}

std::vector<std::size_t> shuffled_groups(const std::vector<std::string>& groups, RandomKey key) {
  const auto units = members(groups);
  std::vector<std::size_t> out;
  for (const std::size_t group : shuffled(units.size(), key)) {
    out.insert(out.end(), units[group].begin(), units[group].end());
  }
  return out;
}

std::size_t whole_groups(const std::vector<std::size_t>& order,
                         const std::vector<std::string>& groups, double fraction) {
  const auto wanted =
      static_cast<std::size_t>(std::llround(fraction * static_cast<double>(order.size())));
  std::size_t best = order.size();  // where a group ends, the nearest to what is wanted
  const auto away = [&](std::size_t n) { return n < wanted ? wanted - n : n - wanted; };
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (groups[order[i]] == groups[order[i - 1]]) continue;
    if (best == order.size() || away(i) < away(best)) best = i;
  }
  return best;
}

std::vector<std::size_t> deal_folds(const std::vector<std::string>& groups, std::size_t folds,
                                    RandomKey key) {
  const auto units = members(groups);
  std::vector<std::size_t> fold(groups.size()), size(folds, 0);
  for (const std::size_t group : shuffled(units.size(), key)) {
    const auto least = std::min_element(size.begin(), size.end());
    for (const std::size_t i : units[group]) {
      fold[i] = static_cast<std::size_t>(least - size.begin());
    }
    *least += units[group].size();
  }
  return fold;
}

}  // namespace tq
