#include "transferq/reward/outside.hpp"

#include <fmt/format.h>

#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"

namespace tq {
namespace {

constexpr std::size_t kExcerpt = 200;        // characters
constexpr double kLongestSeconds = 1000000;  // a timeout beyond any use, that fits every clock

class OutsideScorer final : public Scorer {
 public:
  OutsideScorer(Gathering& gathering, std::vector<Message> messages)
      : gathering_(gathering), messages_(std::move(messages)) {}

  std::vector<double> compute(std::span<const Draft> drafts) override {
    std::vector<OutsideRow> rows;
    for (const Draft& draft : drafts) {
      rows.push_back({draft.whole ? std::vector<Message>() : messages_, draft.text, draft.ended});
    }
    return gathering_.score(rows);
  }

 private:
  Gathering& gathering_;
  std::vector<Message> messages_;
};

class OutsideReward final : public Reward {
 public:
  OutsideReward(RewardInfo info, Gathering::Call call)
      : info_(std::move(info)), gathering_(std::move(call)) {}
  const RewardInfo& info() const override { return info_; }
  std::unique_ptr<Scorer> open(const Prompt& prompt, SessionPool&, const Workload&) const override {
    return std::make_unique<OutsideScorer>(gathering_, prompt.messages);
  }

 private:
  RewardInfo info_;
  mutable Gathering gathering_;  // thread-safe
};

}  // namespace

std::unique_ptr<Reward> make_outside_reward(RewardInfo info, Gathering::Call call) {
  return std::make_unique<OutsideReward>(std::move(info), std::move(call));
}

nlohmann::ordered_json row_json(const OutsideRow& row) {
  auto messages = nlohmann::ordered_json::array();
  for (const Message& m : row.messages) {
    messages.push_back({{"role", m.role}, {"content", m.content}});
  }
  return {{"prompt", row.prompt()},
          {"messages", std::move(messages)},
          {"response", row.response},
          {"finished", row.finished}};
}

std::string excerpt(std::string_view text) {
  std::string line = replace_invalid_utf8(text.substr(0, 8 * kExcerpt));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  std::size_t at = 0;
  for (std::size_t characters = 0; at < line.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(line[at]) & 0xC0) != 0x80;
    if (begins && characters++ == kExcerpt) break;
  }
  const bool cut = at < line.size() || text.size() > 8 * kExcerpt;
  line.resize(at);
  return cut ? line + "..." : line;
}

double seconds(const Spec& spec, const std::string& key, double fallback) {
  const double value = spec.number(key, fallback);
  if (!(value > 0 && value <= kLongestSeconds)) {
    throw Error(ErrorKind::usage,
                fmt::format("{}={} must be a number of seconds above 0", key, spec.get(key)));
  }
  return value;
}

std::size_t count_above_zero(const Spec& spec, const std::string& key, std::size_t fallback) {
  const std::size_t value = whole_number(spec, key, fallback);
  if (value == 0) throw Error(ErrorKind::usage, fmt::format("{}=0 must be 1 or more", key));
  return value;
}

}  // namespace tq
