#include "transferq/reward/rules.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <set>
#include <sstream>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/core/pattern.hpp"

namespace tq {
namespace {

using Rule = std::function<double(const std::string&)>;

class RuleScorer final : public Scorer {
 public:
  explicit RuleScorer(const Rule& rule) : rule_(rule) {}
  std::vector<double> compute(std::span<const Draft> drafts) override {
    std::vector<double> out;
    for (const Draft& draft : drafts) out.push_back(rule_(draft.text));
    return out;
  }

 private:
  const Rule& rule_;
};

class RuleReward final : public Reward {
 public:
  RuleReward(std::string name, Range range, Rule rule)
      : info_{name, name, std::nullopt, range, true}, rule_(std::move(rule)) {}
  const RewardInfo& info() const override { return info_; }
  std::unique_ptr<Scorer> open(const Prompt&, SessionPool&, const Workload&) const override {
    return std::make_unique<RuleScorer>(rule_);
  }

 private:
  RewardInfo info_;
  Rule rule_;
};

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '\'' || (c & 0x80) != 0;
}
std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

double capped(std::size_t count, std::size_t cap) {
  return static_cast<double>(cap == 0 ? count : std::min(count, cap));
}

// The most that capped() gives.
double limit(std::size_t cap) {
  return cap == 0 ? std::numeric_limits<double>::infinity() : static_cast<double>(cap);
}

// Calls `visit` with each maximal run of characters that satisfy `inside`.
void for_each_run(const std::string& text, bool (*inside)(char),
                  const std::function<void(std::string)>& visit) {
  auto at = text.begin();
  while ((at = std::find_if(at, text.end(), inside)) != text.end()) {
    const auto end = std::find_if_not(at, text.end(), inside);
    visit({at, end});
    at = end;
  }
}

std::vector<std::string> words(const Spec& spec, const std::string& key) {
  std::istringstream stream(text_or_file(spec.get(key), "word list"));
  return {std::istream_iterator<std::string>(stream), {}};
}

}  // namespace

std::unique_ptr<Reward> make_length_rule(std::size_t target) {
  if (target == 0) {
    throw Error(ErrorKind::usage, "a length rule needs a number of words above 0, as in length=50");
  }
  return std::make_unique<RuleReward>(
      fmt::format("length={}", target), Range{.high = 0}, [target](const std::string& text) {
        double words = 0;
        for_each_run(
            text, [](char c) { return !is_space(c); }, [&](const std::string&) { ++words; });
        return -std::abs(words - static_cast<double>(target)) / static_cast<double>(target);
      });
}

std::unique_ptr<Reward> make_regex_rule(const std::string& pattern, std::size_t cap) {
  return std::make_unique<RuleReward>(
      fmt::format("regex={},cap={}", pattern, cap), Range{0, limit(cap)},
      [expression = Pattern(pattern), cap](const std::string& text) {
        return capped(expression.count(text), cap);
      });
}

std::unique_ptr<Reward> make_word_rule(std::vector<std::string> wanted,
                                       std::vector<std::string> avoided, std::size_t cap) {
  std::set<std::string> good, bad;
  for (auto& word : wanted) good.insert(lower(word));
  for (auto& word : avoided) bad.insert(lower(word));
  if (good.empty() && bad.empty()) {
    throw Error(ErrorKind::usage, "a word rule needs words, as in words=happy glad or avoid=sad");
  }
  const std::string name =
      fmt::format("words={},avoid={},cap={}", fmt::join(good, " "), fmt::join(bad, " "), cap);
  return std::make_unique<RuleReward>(name, Range{-limit(cap), limit(cap)},
                                      [good, bad, cap](const std::string& text) {
                                        std::size_t plus = 0, minus = 0;
                                        for_each_run(text, in_word, [&](std::string word) {
                                          word = lower(std::move(word));
                                          plus += good.count(word);
                                          minus += bad.count(word);
                                        });
                                        return capped(plus, cap) - capped(minus, cap);
                                      });
}

RewardKind length_kind() {
  return {"length=WORDS",
          "the nearer the length, the better",
          {"length"},
          {},
          [](const Spec& spec, const RewardContext&) {
            return make_length_rule(whole_number(spec, "length", 0));
          }};
}

RewardKind regex_kind() {
  return {"regex=PATTERN[,cap=N]",
          "how often it matches",
          {"regex"},
          {"cap"},
          [](const Spec& spec, const RewardContext&) {
            return make_regex_rule(spec.get("regex"), whole_number(spec, "cap", 0));
          }};
}

RewardKind words_kind() {
  return {"words=A B[,avoid=C D][,cap=N]",
          "wanted and unwanted words; @FILE reads a list",
          {"words", "avoid"},
          {"cap"},
          [](const Spec& spec, const RewardContext&) {
            return make_word_rule(words(spec, "words"), words(spec, "avoid"),
                                  whole_number(spec, "cap", 0));
          }};
}

}  // namespace tq
