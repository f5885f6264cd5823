#include "contract.hpp"

#include <algorithm>
#include <cmath>

#include "transferq/core/logspace.hpp"
#include "transferq/core/random.hpp"

namespace tq::contract {

std::string contract_name(const testing::TestParamInfo<Engine>& info) { return info.param.name; }

void PrintTo(const Engine& engine, std::ostream* out) { *out << engine.name; }

std::unique_ptr<Session> Contract::session(std::size_t branches, std::size_t cells) const {
  SessionOptions options;
  options.branches = branches;
  options.cells = cells;
  options.threads = 1;
  options.cache = CacheType::f32;
  options.micro_batch = GetParam().micro_batch;
  return model_->open_session(options);
}

Tokens Contract::some(std::uint32_t seed, std::size_t count) const {
  Tokens out(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double u = uniform({.seed = seed, .position = static_cast<std::uint32_t>(i)});
    out[i] = static_cast<Token>(u * static_cast<double>(model_->vocabulary()));
  }
  return out;
}

Output Contract::alone(const Tokens& tokens) const {
  const auto fresh = session(1);
  return feed(*fresh, fresh->open(), tokens);
}

void Contract::expect_right(const Output& output, const Tokens& tokens,
                            const std::string& where) const {
  const Output right = alone(tokens);
  const double tolerance = GetParam().tolerance;
  // Infinities (probability 0) are equal, not close.
  const auto gap = [](double a, double b) { return a == b ? 0.0 : std::abs(a - b); };
  ASSERT_EQ(output.logits.size(), model_->vocabulary()) << where;
  ASSERT_EQ(output.hidden.size(), model_->hidden_size()) << where;
  double logits = 0, hidden = 0;
  for (std::size_t i = 0; i < right.logits.size(); ++i) {
    logits = std::max(logits, gap(output.logits[i], right.logits[i]));
  }
  for (std::size_t i = 0; i < right.hidden.size(); ++i) {
    hidden = std::max(hidden, gap(output.hidden[i], right.hidden[i]));
  }
  EXPECT_LE(logits, tolerance) << where;
  EXPECT_LE(hidden, tolerance) << where;
  EXPECT_EQ(static_cast<std::size_t>(output.argmax), argmax(output.logits)) << where;
  const auto best = top_k(right.logits, 2);
  if (tolerance == 0 || right.logits[best[0]] - right.logits[best[1]] > 2 * tolerance) {
    EXPECT_EQ(output.argmax, right.argmax) << where;
  }
}

Output feed(Session& session, BranchId branch, const Tokens& tokens, Want want) {
  const Feed one{branch, tokens, want};
  return session.forward({&one, 1}).at(0);
}

Tokens operator+(Tokens a, const Tokens& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

State state(const Session& session, const std::vector<BranchId>& branches) {
  const Capacity capacity = session.capacity();
  State out{session.evaluations(), capacity.free_branches, capacity.free_cells, {}};
  for (const BranchId branch : branches) out.tokens.push_back(session.tokens(branch));
  return out;
}

}  // namespace tq::contract
