#include "transferq/engine/tabular/session.hpp"

#include <algorithm>

#include "transferq/core/logspace.hpp"

namespace tq::tabular {

TabularSession::TabularSession(const TabularModel& model, const SessionOptions& options)
    : model_(model),
      keep_(model.weak_from_this().lock()),
      table_(std::max<std::size_t>(1, options.branches),
             options.cells == 0 ? model.context() : options.cells) {}

// The outputs that every token of the feed has; `tokens` are the branch's, the feed's at the end.
void TabularSession::read_each(std::span<const Token> tokens, const Feed& feed,
                               Output& output) const {
  for (std::size_t n = tokens.size() - feed.tokens.size() + 1; n <= tokens.size(); ++n) {
    const std::vector<Token> prefix(tokens.begin(), tokens.begin() + static_cast<long>(n));
    if (has(feed.want, Want::states)) {
      const std::vector<float> hidden = model_.hidden(prefix);
      output.states.insert(output.states.end(), hidden.begin(), hidden.end());
    }
    if (has(feed.want, Want::likelihood) && n < tokens.size()) {
      const std::vector<double> logs = log_softmax(model_.log_probabilities(prefix));
      output.likelihood.push_back(logs[static_cast<std::size_t>(tokens[n])]);
    }
  }
}

std::vector<Output> TabularSession::forward(std::span<const Feed> feeds) {
  table_.check(feeds, model_.vocabulary());
  check_stopped();
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
    read_each(tokens, feed, outputs[i]);
  }
  return outputs;
}

}  // namespace tq::tabular
