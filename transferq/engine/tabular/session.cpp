#include "transferq/engine/tabular/session.hpp"

#include <algorithm>

#include "transferq/core/logspace.hpp"

namespace tq::tabular {

TabularSession::TabularSession(const TabularModel& model, const SessionOptions& options)
    : model_(model),
      keep_(model.weak_from_this().lock()),
      table_(std::max<std::size_t>(1, options.branches),
             options.cells == 0 ? model.context() : options.cells) {}

std::vector<Output> TabularSession::forward(std::span<const Feed> feeds) {
  table_.check(feeds, model_.vocabulary());
  std::vector<Output> outputs(feeds.size());
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    const Feed& feed = feeds[i];
    table_.append(feed.branch, feed.tokens);
    evaluations_ += feed.tokens.size();
    if (feed.want == Want::nothing) continue;
    const std::vector<Token> tokens = table_.tokens(feed.branch);
    const std::vector<double>& logs = model_.log_probabilities(tokens);
    if (has(feed.want, Want::logits)) outputs[i].logits = logs;
    if (has(feed.want, Want::argmax)) outputs[i].argmax = static_cast<Token>(argmax(logs));
    if (has(feed.want, Want::hidden)) outputs[i].hidden = model_.hidden(tokens);
  }
  return outputs;
}

}  // namespace tq::tabular
