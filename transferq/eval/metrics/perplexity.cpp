#include "transferq/eval/metrics/perplexity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

// Tokens of an evaluation whose logits are read: enough for speed, few enough for a large
// vocabulary.
constexpr std::size_t kOutputs = 32;

SessionOptions one_branch(SessionOptions options) {
  options.branches = 1;
  options.outputs = kOutputs;
  return options;
}

}  // namespace

PerplexityMeter::PerplexityMeter(const Policy& reference, SessionOptions options)
    : reference_(reference), pool_(one_branch(std::move(options))) {}

std::optional<double> PerplexityMeter::of(const Prompt& prompt, std::span<const Token> response,
                                          std::stop_token stop) {
  const Model& model = reference_.model();
  for (const Token token : response) {
    if (token >= 0 && static_cast<std::size_t>(token) < model.vocabulary()) continue;
    throw Error(ErrorKind::usage,
                fmt::format("token {} is not one of {}'s {}; perplexity needs a response in the "
                            "reference's own tokens",
                            token, model.name(), model.vocabulary()));
  }
  std::vector<Token> text = reference_.encode(prompt);
  const std::size_t start = text.size() - 1;  // its logits are the first response token's
  text.insert(text.end(), response.begin(), response.end());
  const std::size_t cells = pool_.options().cells;
  const std::size_t most = cells > 0 ? std::min(cells, model.context()) : model.context();
  if (response.empty() || text.size() > most) return std::nullopt;

  pool_.begin_prompt(std::move(stop));
  pool_.plan(reference_, start + 1, {response.size(), 1, 0});
  Session& session = pool_.get(reference_);
  const Branch branch = Branch::open(session);
  const auto forward = [&](std::span<const Token> tokens, Want want) {
    const Feed feed{branch.id(), tokens, want};
    Output output = std::move(session.forward({&feed, 1}).front());
    evaluations_ += tokens.size();
    return output;
  };
  const std::span<const Token> tokens(text);
  if (start > 0) forward(tokens.first(start), Want::nothing);
  double sum = 0;
  for (const double x : forward(tokens.subspan(start), Want::likelihood).likelihood) sum += x;
  const double value = std::exp(-sum / static_cast<double>(response.size()));
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

}  // namespace tq
