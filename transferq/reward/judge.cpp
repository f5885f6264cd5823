#include "transferq/reward/judge.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <sstream>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/reward/text_reader.hpp"

namespace tq {
namespace {

using Tokens = std::vector<Token>;

// Stand for what is filled in while the chat template is applied: characters for private use, which
// no text has.
constexpr std::string_view kQuestion = "\xEE\x80\x80";
constexpr std::string_view kAnswer = "\xEE\x80\x81";
constexpr std::string_view kCriterion = "\xEE\x80\x82";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
  return text;
}

void append(Tokens& tokens, const Tokens& more) {
  tokens.insert(tokens.end(), more.begin(), more.end());
}

// The template's text in tokens, with the question in its place as plain text. `begins`: the text
// is the beginning of a model's input.
Tokens encode(const Model& model, std::string_view text, const std::string& question, bool begins) {
  const std::size_t at = text.find(kQuestion);
  Tokens tokens = model.tokenize(text.substr(0, at), true);
  if (!begins) {  // without what the model puts before every text
    tokens.erase(tokens.begin(),
                 tokens.begin() + static_cast<long>(model.tokenize("", true).size()));
  }
  if (at == std::string_view::npos) return tokens;
  append(tokens, model.tokenize(question, false));
  append(tokens, encode(model, text.substr(at + kQuestion.size()), question, false));
  return tokens;
}

// The tokens around an answer: before it, and behind it for each criterion.
struct Frame {
  Tokens head;
  std::vector<Tokens> tails;
  std::size_t tail_size = 0;  // of the longest
};

Frame frame_of(const Policy& judge, const JudgeOptions& options, const Prompt& prompt) {
  const std::string question = prompt.messages.empty() ? "" : prompt.messages.back().content;
  std::string text = replaced(options.prompt, "{question}", kQuestion);
  text = replaced(replaced(text, "{answer}", kAnswer), "{criterion}", kCriterion);
  const std::string rendered = judge.render(make_prompt(prompt.id, text));
  const std::size_t answer = rendered.find(kAnswer);
  Frame frame{encode(judge.model(), rendered.substr(0, answer), question, true), {}, 0};
  const std::string behind = rendered.substr(answer + kAnswer.size());
  for (const Criterion& c : options.criteria) {
    frame.tails.push_back(
        encode(judge.model(), replaced(behind, kCriterion, c.text), question, false));
    frame.tail_size = std::max(frame.tail_size, frame.tails.back().size());
  }
  return frame;
}

class JudgeScorer final : public Scorer {
 public:
  JudgeScorer(const JudgeOptions& options, Frame frame, TextReader reader, std::size_t yes)
      : options_(options), frame_(std::move(frame)), reader_(std::move(reader)), yes_(yes) {}

  std::vector<ModelCost> costs() const override { return reader_.costs(); }

 private:
  std::vector<double> compute(std::span<const Draft> drafts) override {
    std::vector<Tokens> answers;
    const std::size_t room = reader_.longest() - frame_.head.size() - frame_.tail_size;
    for (const Draft& draft : drafts) {
      answers.push_back(reader_.policy().model().tokenize(draft.text, false));
      answers.back().resize(std::min(answers.back().size(), room));
    }
    std::vector<double> scores(drafts.size(), 0.0);
    // A criterion a round: the answers are held when the next one comes.
    for (std::size_t c = 0; c < options_.criteria.size(); ++c) {
      std::vector<Tokens> sequences;
      for (const Tokens& answer : answers) {
        sequences.push_back(frame_.head);
        append(sequences.back(), answer);
        append(sequences.back(), frame_.tails[c]);
      }
      const auto logs = reader_.read(sequences);
      for (std::size_t i = 0; i < logs.size(); ++i) {
        const std::span<const double> all(logs[i]);
        scores[i] += options_.criteria[c].weight *
                     (log_sum_exp(all.first(yes_)) - log_sum_exp(all.subspan(yes_)));
      }
    }
    return scores;
  }

  const JudgeOptions& options_;
  Frame frame_;
  TextReader reader_;
  std::size_t yes_;  // how many of the watched tokens are yes; the others are no
};

class Judge final : public Reward {
 public:
  Judge(Policy judge, JudgeOptions options)
      : judge_(std::move(judge)), options_(std::move(options)) {
    for (const std::string& word : options_.yes) watch_.push_back(one_token(word));
    for (const std::string& word : options_.no) watch_.push_back(one_token(word));
    std::string all = options_.prompt;
    for (const Criterion& c : options_.criteria) all += fmt::format("|{} {}", c.text, c.weight);
    info_.name = "judge";
    info_.whole = false;
    info_.fingerprint = sha256(fmt::format("{}|{}|{}|{}", describe_policy(judge_), all,
                                           fmt::join(watch_, " "), options_.yes.size()));
  }

  const RewardInfo& info() const override { return info_; }

  std::unique_ptr<Scorer> open(const Prompt& prompt, SessionPool& sessions,
                               const Workload& work) const override {
    Frame frame = frame_of(judge_, options_, prompt);
    TextReader reader(judge_, sessions, frame.head.size(), work, {Reading::next, 0, watch_, false},
                      frame.tail_size);
    return std::make_unique<JudgeScorer>(options_, std::move(frame), std::move(reader),
                                         options_.yes.size());
  }

 private:
  Token one_token(const std::string& word) const {
    const Tokens tokens = judge_.model().tokenize(word, false);
    if (tokens.size() == 1) return tokens.front();
    throw Error(ErrorKind::usage,
                fmt::format("the judge's answer '{}' is {} tokens of {}; give words of one token "
                            "with yes= and no=",
                            word, tokens.size(), judge_.model().name()));
  }

  Policy judge_;
  JudgeOptions options_;
  Tokens watch_;
  RewardInfo info_;
};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

std::vector<Criterion> criteria(const Spec& spec) {
  std::vector<Criterion> out;
  for (std::string& text : split(text_or_file(spec.get("judge"), "criteria"), '|')) {
    out.push_back({std::move(text), 1.0});
  }
  const std::vector<double> all = weights(spec, out.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i].weight = all[i];
  return out;
}

}  // namespace

std::string default_judge_prompt() {
  return "Here is a question and an answer to it.\n\nQuestion:\n{question}\n\nAnswer:\n{answer}\n\n"
         "{criterion} Reply with Yes or No alone.";
}

std::unique_ptr<Reward> make_judge(Policy judge, JudgeOptions options) {
  if (options.criteria.empty()) {
    throw Error(ErrorKind::usage,
                "a judge needs a question about the answer, as in judge=Is the answer polite?");
  }
  const std::size_t answer = options.prompt.find("{answer}");
  const std::size_t criterion = options.prompt.find("{criterion}");
  const bool asked =
      criterion != std::string::npos ? criterion > answer : options.criteria.size() == 1;
  const bool once = answer != std::string::npos &&
                    options.prompt.find("{answer}", answer + 1) == std::string::npos;
  if (!once || !asked) {
    throw Error(ErrorKind::usage,
                "a judge's prompt must have {answer} once, and {criterion} behind it; see the "
                "default in docs/rewards.md");
  }
  if (options.yes.empty() || options.no.empty()) {
    throw Error(ErrorKind::usage, "a judge needs a word for yes= and one for no=");
  }
  return std::make_unique<Judge>(std::move(judge), std::move(options));
}

RewardKind judge_kind() {
  return {
      "judge=QUESTION[|QUESTION...][,weights=1 0.5][,model=POLICY][,prompt=TEXT|@FILE]"
      "[,yes=WORD|WORD][,no=WORD|WORD]",
      "a language model's log-odds of yes against no",
      {"judge"},
      {"weights", "model", "prompt", "yes", "no"},
      [](const Spec& spec, const RewardContext& context) {
        JudgeOptions options{criteria(spec), default_judge_prompt()};
        if (spec.has("prompt")) options.prompt = text_or_file(spec.get("prompt"), "prompt");
        if (spec.has("yes")) options.yes = split(spec.get("yes"), '|');
        if (spec.has("no")) options.no = split(spec.get("no"), '|');
        return make_judge(context.named_policy(spec, "model"), std::move(options));
      }};
}

}  // namespace tq
