// What the rewards that read texts with an encoder share: sessions that live on from prompt to
// prompt, and a scorer that evaluates each text once.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "transferq/engine/encoder.hpp"
#include "transferq/reward/reward.hpp"

namespace tq {

// Sessions of one encoder, lent for a call and kept: as many as calls ever ran at once.
// Thread-safe.
class EncoderPool {
 public:
  explicit EncoderPool(std::shared_ptr<const Encoder> encoder) : encoder_(std::move(encoder)) {}
  const Encoder& encoder() const { return *encoder_; }

  // Calls `use` with a session of `threads` threads that nobody else has meanwhile.
  template <typename Use>
  auto with(int threads, const Use& use) const {
    const Loan loan{*this, threads, take(threads)};
    return use(*loan.session);
  }

 private:
  using Session = std::unique_ptr<EncoderSession>;
  struct Loan {
    const EncoderPool& pool;
    int threads;
    mutable Session session;
    ~Loan() { pool.give(threads, std::move(session)); }
  };
  Session take(int threads) const;
  void give(int threads, Session session) const noexcept;

  std::shared_ptr<const Encoder> encoder_;
  mutable std::mutex mutex_;
  mutable std::vector<std::pair<int, Session>> idle_;
};

// Scores the responses' texts alone, each different text of a prompt once: drafts with a text that
// was scored before cost nothing. A whole draft's text is taken as it is.
class EncoderScorer : public Scorer {
 public:
  EncoderScorer(const EncoderPool& pool, int threads) : pool_(pool), threads_(threads) {}
  std::vector<ModelCost> costs() const override;

 private:
  std::vector<double> compute(std::span<const Draft> drafts) final;
  // One score a text.
  virtual std::vector<double> evaluate(EncoderSession& session,
                                       std::span<const std::string> texts) const = 0;

  const EncoderPool& pool_;
  int threads_;
  std::unordered_map<std::string, double> known_;
  std::uint64_t evaluations_ = 0;
};

}  // namespace tq
