#include "transferq/reward/reward_list.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "transferq/core/error.hpp"
#include "transferq/reward/linear_head.hpp"
#include "transferq/reward/rank_head.hpp"
#include "transferq/reward/rules.hpp"
#include "transferq/reward/similarity.hpp"

namespace tq {
namespace {

bool is_kind(const RewardKind& kind, const Spec& spec) {
  return std::any_of(kind.names.begin(), kind.names.end(),
                     [&](const std::string& name) { return spec.has(name); });
}

std::unique_ptr<Reward> make(std::string_view list, const RewardContext& context) {
  std::set<std::string> all;
  std::vector<std::string> forms;
  for (const RewardKind& kind : reward_kinds()) {
    forms.push_back(*kind.names.rbegin() + "=...");
    all.insert(kind.names.begin(), kind.names.end());
    all.insert(kind.options.begin(), kind.options.end());
  }
  const Spec spec = parse_spec(list, "--reward", all);
  for (const RewardKind& kind : reward_kinds()) {
    if (!is_kind(kind, spec)) continue;
    for (const auto& [key, value] : spec.values) {
      if (kind.names.count(key) > 0 || kind.options.count(key) > 0) continue;
      throw Error(ErrorKind::usage, fmt::format("--reward {} does not take '{}'; its form is {}",
                                                list, key, kind.form));
    }
    return kind.make(spec, context);
  }
  throw Error(ErrorKind::usage,
              fmt::format("--reward '{}' names no kind of reward; it begins with one of {}", list,
                          fmt::join(forms, ", ")));
}

}  // namespace

const std::vector<RewardKind>& reward_kinds() {
  static const std::vector<RewardKind> kinds{
      linear_head_kind(), length_kind(),    regex_kind(),
      words_kind(),       rank_head_kind(), similarity_kind(),
  };
  return kinds;
}

std::unique_ptr<Reward> make_reward(std::string_view list, ModelStore& models,
                                    const std::shared_ptr<const Model>& policy, Format format) {
  RewardContext context{models, policy, format, {}};
  context.make = [&context](std::string_view inner) { return make(inner, context); };
  return make(list, context);
}

}  // namespace tq
