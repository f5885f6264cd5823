#include "transferq/reward/text_reader.hpp"

#include <algorithm>
#include <utility>

namespace tq {

namespace {

// A likelihood evaluates the token before the first new one again, beside the one that is held.
std::size_t spare(Reading reading) { return reading == Reading::likelihood ? 1 : 0; }

}  // namespace

TextReader::TextReader(const Policy& policy, SessionPool& sessions, std::size_t prompt,
                       const Workload& work, PrefixCacheOptions options, std::size_t behind)
    : policy_(policy), sessions_(sessions), options_(std::move(options)), prompt_(prompt) {
  const std::size_t more = spare(options_.reading);
  longest_ = sessions.plan_cut(policy, prompt + behind + more,
                               {work.tokens, work.width, work.depth + behind}) -
             more;
}

std::vector<std::vector<double>> TextReader::read(const std::vector<std::vector<Token>>& texts) {
  if (texts.empty()) return {};
  std::size_t needed = 0;
  for (const auto& text : texts) needed = std::max(needed, text.size());
  needed += spare(options_.reading);
  if (cache_ && cells_ < needed && !sessions_.shared(policy_)) {
    before_ += cache_->evaluations();
    cache_.reset();
  }
  if (!cache_) {
    options_.keep_only_trunk = sessions_.shared(policy_);
    Session& session = sessions_.get(policy_, needed);
    cells_ = session.capacity().cells;
    const std::span<const Token> text(texts.front());
    SessionPool::Beginning beginning;
    if (text.size() >= prompt_ && prompt_ > 0) {
      beginning = sessions_.open(policy_, text.first(prompt_));
    }
    cache_.emplace(session, options_, std::move(beginning.branch), beginning.shared);
    shared_ = std::min(beginning.shared, cache_->held());
  }
  return cache_->read(texts);
}

std::vector<ModelCost> TextReader::costs() const {
  const std::uint64_t all = before_ + (cache_ ? cache_->evaluations() : 0);
  if (all == 0) return {};
  const auto prompt = std::min<std::uint64_t>(all, prompt_ - shared_);
  return {{policy_.model().name(), prompt, all - prompt}};
}

}  // namespace tq
