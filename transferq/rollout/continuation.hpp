// Roll-outs by the policy itself: `samples` draws or one greedy continuation of each candidate, up
// to `horizon` tokens or the end of the text (tau ~ rho_BL(.|s, z), Transfer Q* section 3.1).
//
// Token evaluations for k candidates whose roll-outs reach a horizon h: the candidate and all but
// the last token of each roll-out, k + k N (h - 1); all of them, k + k N h, when the hidden state
// after each roll-out is wanted. That is the most: what roll-outs of a candidate have in common at
// their beginning is evaluated once, where they come in one wave. With candidates that are blocks
// of B tokens (rollout/blocks.hpp), B instead of the one for each candidate, less the last where
// nobody looks behind it. Where a greedy roll-out goes on from one that an earlier step grew
// (ExpandRequest::ahead), only what is new of it is evaluated: all but its candidate and its end
// are saved, and the tokens are the same.
//
// What does not fit the session at once is done in waves: roll-outs take turns, and where not even
// all candidates fit side by side, they come in groups. Then only the last group's branches are
// handed back; committing another candidate evaluates its token once more. Branches of roll-outs
// are handed back (Expansion::kept) where half of the free memory stays free beside them: the
// reward may need some. Thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "transferq/rollout/rollout.hpp"

namespace tq {

struct ContinuationOptions {
  std::size_t horizon = 20;  // 0: the candidate alone
  std::size_t samples = 1;   // roll-outs a candidate
  bool greedy = false;       // the likeliest token each time, then `samples` is 1
  bool past_end = false;     // roll out a candidate that ends the text, too
  std::size_t block = 1;     // tokens of a candidate, of which the first ones are given
};

class Continuation final : public Expander {
 public:
  explicit Continuation(ContinuationOptions options);
  Expansion expand(const ExpandRequest& request) const override;
  std::size_t width() const override { return 1 + options_.samples; }
  std::size_t depth() const override { return options_.block + options_.horizon; }

 private:
  struct Growing;
  std::size_t grown(const ExpandRequest& request) const;
  bool looks_behind(const ExpandRequest& request) const;
  bool evaluates(const ExpandRequest& request, std::size_t candidate) const;
  bool looks_ahead(const ExpandRequest& request) const;
  bool spares(const ExpandRequest& request, std::span<const Growing> wave, std::size_t keep) const;
  void take_up(const ExpandRequest& request, Growing& growing) const;
  std::size_t group_size(const ExpandRequest& request, std::size_t from) const;
  void feed_candidates(const ExpandRequest& request, std::size_t from, std::size_t to,
                       Expansion& expansion) const;
  void roll_out(const ExpandRequest& request, std::size_t from, std::size_t to,
                Expansion& expansion) const;
  void begin(const ExpandRequest& request, std::span<Growing> wave,
             const Expansion& expansion) const;
  std::vector<Growing*> draw(const ExpandRequest& request, std::span<Growing> wave,
                             std::size_t j) const;
  static Rollout cut(const Growing& growing, std::size_t length, const Expansion& expansion);
  void cull(const ExpandRequest& request, std::span<Growing> wave, std::size_t length,
            const Expansion& expansion) const;
  void grow(const ExpandRequest& request, std::span<Growing> wave, std::size_t keep, bool whole,
            Expansion& expansion) const;
  Kept hand_back(const ExpandRequest& request, Growing& growing, std::size_t keep,
                 const Expansion& expansion) const;
  bool reads_logprobs(const ExpandRequest& request, std::size_t position) const;
  Want wanted(const ExpandRequest& request, std::size_t position, std::size_t depth) const;
  Token next(const ExpandRequest& request, const Growing& g) const;

  ContinuationOptions options_;
};

}  // namespace tq
