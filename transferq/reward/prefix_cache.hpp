// Evaluates many token sequences that share prefixes, with each other and with those of the call
// before: only what differs from the longest prefix already held is evaluated.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "transferq/engine/session.hpp"

namespace tq {

class PrefixCache {
 public:
  explicit PrefixCache(Session& session) : session_(&session) {}

  // The hidden state after the last token of each sequence (none of them empty), in order. Works
  // in waves when the session's branches or cells do not hold all at once. Throws Error (capacity)
  // when one sequence alone does not fit.
  std::vector<std::vector<float>> hidden(const std::vector<std::vector<Token>>& sequences);

  std::uint64_t evaluations() const { return evaluations_; }

 private:
  struct Held {
    Branch branch;
    std::vector<Token> tokens;
    std::vector<float> hidden;  // after the last token; empty where it was not asked for
  };
  using Range = std::span<const std::vector<Token>>;
  std::size_t wave_size(Range sequences, std::size_t shared) const;
  void hold_trunk(Range sequences);
  std::vector<std::vector<float>> wave(Range sequences);

  Session* session_;
  Held trunk_;              // what all sequences of the last call shared
  std::vector<Held> held_;  // the sequences of the last wave
  std::uint64_t evaluations_ = 0;
};

}  // namespace tq
