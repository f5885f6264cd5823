#include "transferq/eval/judge/policy_judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "transferq/core/error.hpp"
#include "transferq/core/logspace.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/eval/judge/verdict.hpp"
#include "transferq/policy/session_pool.hpp"
#include "transferq/policy/stream.hpp"
#include "transferq/reward/kind.hpp"

namespace tq {
namespace {

using Tokens = std::vector<Token>;
using Place = JudgeTemplate::Place;

// Stand for the places while the chat template is applied: characters for private use.
std::string_view mark(Place place) {
  if (place == Place::prompt) return "\xEE\x80\x80";
  return place == Place::first ? "\xEE\x80\x81" : "\xEE\x80\x82";
}

// What is asked, in pieces: the tokens around the places, and where each place is.
struct Piece {
  Place place;
  Tokens tokens;  // of Place::text
};

// A text of the chat template, or of ours, in tokens; without what the model puts before every text
// unless the text begins its input.
Tokens encode(const Model& model, std::string_view text, bool begins) {
  Tokens tokens = model.tokenize(text, true);
  const auto added = static_cast<std::ptrdiff_t>(begins ? 0 : model.tokenize("", true).size());
  tokens.erase(tokens.begin(), tokens.begin() + added);
  return tokens;
}

std::vector<Piece> pieces_of(const Policy& judge, const JudgeTemplate& ask_with) {
  const std::string text = judge.render(make_prompt("", ask_with.fill(mark)));
  std::vector<Piece> pieces;
  std::size_t at = 0;
  for (const JudgeTemplate::Part& part : ask_with.parts()) {
    if (part.place == Place::text) continue;
    const std::size_t next = text.find(mark(part.place), at);
    if (next == std::string::npos) {
      throw Error(ErrorKind::model,
                  fmt::format("the chat template of {} does not show the user's message; ask it in "
                              "raw mode",
                              judge.model().name()));
    }
    pieces.push_back({Place::text, encode(judge.model(), text.substr(at, next - at), at == 0)});
    pieces.push_back({part.place, {}});
    at = next + mark(part.place).size();
  }
  pieces.push_back({Place::text, encode(judge.model(), text.substr(at), false)});
  return pieces;
}

// The tokens that say A, and those that say B, in the forms in which both are one token.
struct Labels {
  std::vector<std::size_t> a, b;
};

Labels labels_of(const Model& model) {
  Labels labels;
  for (const std::string before : {"", " "}) {
    const Tokens a = model.tokenize(before + "A", false), b = model.tokenize(before + "B", false);
    if (a.size() != 1 || b.size() != 1 || a == b) continue;
    labels.a.push_back(static_cast<std::size_t>(a.front()));
    labels.b.push_back(static_cast<std::size_t>(b.front()));
  }
  if (!labels.a.empty()) return labels;
  throw Error(ErrorKind::usage, fmt::format("ask=logits needs A and B to be tokens of {}, which "
                                            "they are not; use ask=generate",
                                            model.name()));
}

Preference by_logits(const std::vector<double>& logits, const Labels& labels, double margin) {
  const auto sum = [&](const std::vector<std::size_t>& tokens) {
    std::vector<double> x;
    for (const std::size_t token : tokens) x.push_back(logits[token]);
    return log_sum_exp(x);
  };
  const double odds = sum(labels.a) - sum(labels.b);
  if (!std::isfinite(odds)) return Preference::none;
  if (std::abs(odds) <= margin) return Preference::tie;
  return odds > 0 ? Preference::first : Preference::second;
}

// What the descriptions share with their sessions.
struct Shared {
  Policy judge;
  PolicyJudgeOptions options;
  std::vector<Piece> pieces;
  Labels labels;  // of ask=logits
  std::size_t length() const { return options.ask == Ask::logits ? 0 : options.max_tokens; }
};

class PolicySession final : public JudgeSession {
 public:
  PolicySession(std::shared_ptr<const Shared> shared, const SessionOptions& options)
      : shared_(std::move(shared)), pool_(options) {}

  Preference ask(const Prompt& prompt, const std::string& first, const std::string& second,
                 std::stop_token stop) override {
    Tokens asked = tokens_of(prompt, first, second);
    pool_.begin_prompt(std::move(stop));
    pool_.plan(shared_->judge, asked.size(), {shared_->length(), 1, 0});
    Stream stream(shared_->judge, pool_, std::move(asked));
    const Preference said =
        shared_->options.ask == Ask::logits
            ? by_logits(stream.state().logits, shared_->labels, shared_->options.margin)
            : generated(stream);
    evaluations_ += stream.prompt_evaluations() + stream.evaluations();
    return said;
  }

  std::uint64_t evaluations() const override { return evaluations_; }

 private:
  Tokens tokens_of(const Prompt& prompt, const std::string& first,
                   const std::string& second) const {
    const Model& model = shared_->judge.model();
    const Tokens question = model.tokenize(conversation_text(prompt.messages), false);
    Tokens a = model.tokenize(first, false), b = model.tokenize(second, false);
    std::size_t used = question.size() + shared_->length();
    for (const Piece& piece : shared_->pieces) used += piece.tokens.size();
    const std::size_t cells = pool_.options().cells;
    const std::size_t most = cells > 0 ? std::min(cells, model.context()) : model.context();
    if (used >= most) {
      throw Error(ErrorKind::input,
                  fmt::format("the judge {} has no room for the answers: prompt '{}', its template "
                              "and max-tokens={} are {} tokens, its context {}; shorten them",
                              shared_->options.name, prompt.id, shared_->length(), used, most));
    }
    const auto [keep_a, keep_b] = fair_cut(a.size(), b.size(), most - used);
    a.resize(keep_a);
    b.resize(keep_b);
    Tokens asked;
    for (const Piece& piece : shared_->pieces) {
      const Tokens* more = &piece.tokens;
      if (piece.place == Place::prompt) more = &question;
      if (piece.place == Place::first) more = &a;
      if (piece.place == Place::second) more = &b;
      asked.insert(asked.end(), more->begin(), more->end());
    }
    return asked;
  }

  Preference generated(Stream& stream) const {
    const Model& model = shared_->judge.model();
    std::string answer;
    for (std::size_t i = 0; i < shared_->options.max_tokens; ++i) {
      const auto token = static_cast<Token>(argmax(std::span<const double>(stream.state().logits)));
      if (model.is_end(token)) return verdict_in(answer);
      answer += model.piece(token, false);
      stream.append(token);
    }
    return verdict_in(answer, false);
  }

  std::shared_ptr<const Shared> shared_;
  SessionPool pool_;
  std::uint64_t evaluations_ = 0;
};

class PolicyJudge final : public PairJudge {
 public:
  explicit PolicyJudge(Shared shared) : shared_(std::make_shared<const Shared>(std::move(shared))) {
    const PolicyJudgeOptions& o = shared_->options;
    fingerprint_ = sha256(fmt::format("pair judge policy|{}|{}|{}|{}|{}",
                                      describe_policy(shared_->judge), static_cast<int>(o.ask),
                                      shared_->length(), o.margin, o.ask_with.text()));
  }
  const std::string& name() const override { return shared_->options.name; }
  const std::string& fingerprint() const override { return fingerprint_; }
  std::unique_ptr<JudgeSession> open(const SessionOptions& options) const override {
    return std::make_unique<PolicySession>(shared_, options);
  }

 private:
  std::shared_ptr<const Shared> shared_;
  std::string fingerprint_;
};

}  // namespace

std::pair<std::size_t, std::size_t> fair_cut(std::size_t first, std::size_t second,
                                             std::size_t room) {
  if (first + second <= room) return {first, second};
  const std::size_t half = room / 2;
  if (first <= half) return {first, room - first};
  if (second <= half) return {room - second, second};
  return {half, half};
}

std::shared_ptr<const PairJudge> make_policy_judge(Policy judge, PolicyJudgeOptions options) {
  std::vector<Piece> pieces = pieces_of(judge, options.ask_with);
  Labels labels;
  if (options.ask == Ask::logits) labels = labels_of(judge.model());
  return std::make_shared<PolicyJudge>(
      Shared{std::move(judge), std::move(options), std::move(pieces), std::move(labels)});
}

}  // namespace tq
