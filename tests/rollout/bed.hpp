// A session with a trunk to roll out from, for the tests of what grows there.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "tests/policy/tiny_policy.hpp"
#include "transferq/rollout/continuation.hpp"

namespace tq::testing {

// A session with a trunk, and what a continuation makes of it.
struct Bed {
  Bed(const Model& model, Tokens tokens, const SessionOptions& options)
      : session(model.open_session(options)), prefix(std::move(tokens)) {
    trunk = Branch::open(*session);
    const Feed feed{trunk.id(), prefix};
    session->forward({&feed, 1});
    start = session->evaluations();
  }
  Expansion expand(const ContinuationOptions& options, const Tokens& candidates,
                   std::size_t room = 100, bool hidden = false, std::stop_token stop = {}) {
    const auto before = session->evaluations();
    Expansion out = Continuation(options).expand({trunk, candidates, room, hidden, key, stop});
    EXPECT_EQ(out.evaluations, session->evaluations() - before);
    return out;
  }

  std::unique_ptr<Session> session;
  Tokens prefix;
  Branch trunk;
  std::uint64_t start;
  RandomKey key{.seed = 5, .prompt = 6, .step = 7};
};

inline Bed endless_bed() {
  return {*testing::endless(12), {1, 2, 3}, testing::session_of(1000, 100)};
}

inline std::vector<float> last_of(const Rollout& rollout) {
  return rollout.trail.empty() ? std::vector<float>() : rollout.trail.last();
}

// What is evaluated of roll-outs that come in one wave: each beginning of one once, without the
// last token unless `hidden`, nor one that ends the text.
inline std::size_t beginnings(const Model& model, const Expansion& e, std::size_t horizon,
                              bool hidden) {
  std::set<std::pair<std::size_t, Tokens>> different;
  for (const Rollout& r : e.rollouts) {
    Tokens tokens;
    for (const Token token : r.tokens) {
      tokens.push_back(token);
      if (model.is_end(token) || (tokens.size() == horizon && !hidden)) break;
      different.insert({r.candidate, tokens});
    }
  }
  return different.size();
}

}  // namespace tq::testing
