#include "transferq/reward/table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

using Table = std::map<std::vector<Token>, double>;

class TableScorer final : public Scorer {
 public:
  TableScorer(const Table& table, std::vector<Token> prompt)
      : table_(table), prompt_(std::move(prompt)) {}

  std::vector<double> compute(std::span<const Draft> drafts) override {
    std::vector<double> out;
    for (const Draft& draft : drafts) {
      std::vector<Token> tokens = prompt_;
      tokens.insert(tokens.end(), draft.tokens.begin(), draft.tokens.end());
      const auto it = table_.find(tokens);
      if (it == table_.end()) {
        throw Error(ErrorKind::input,
                    fmt::format("the reward table has no entry for {}", fmt::join(tokens, ".")));
      }
      out.push_back(it->second);
    }
    return out;
  }

 private:
  const Table& table_;
  std::vector<Token> prompt_;
};

class TableReward final : public Reward {
 public:
  TableReward(Table table, std::shared_ptr<const Model> model)
      : table_(std::move(table)), model_(std::move(model)) {
    if (table_.empty()) return;
    const auto [low, high] =
        std::minmax_element(table_.begin(), table_.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; });
    info_.range = {low->second, high->second};
  }
  const RewardInfo& info() const override { return info_; }
  std::unique_ptr<Scorer> open(const Prompt& prompt, SessionPool&, const Workload&) const override {
    std::string text;
    for (const Message& m : prompt.messages) text += m.content;
    return std::make_unique<TableScorer>(table_, model_->tokenize(text, false));
  }

 private:
  Table table_;
  std::shared_ptr<const Model> model_;
  RewardInfo info_{"table", "table", std::nullopt, {}, true};
};

}  // namespace

std::unique_ptr<Reward> make_table_reward(Table table, std::shared_ptr<const Model> model) {
  return std::make_unique<TableReward>(std::move(table), std::move(model));
}

}  // namespace tq
