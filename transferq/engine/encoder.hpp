// The engine's second port: models that read a whole text at once and give a vector (an embedding)
// or scores (a rank head) for it. They generate nothing and have no branches.
//
// An encoder is immutable and safe to use from many threads at once; a session belongs to one
// thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tq {

// How the vectors of a text's tokens become one; `rank`: a classifier on top gives scores.
enum class Pooling { mean, first, last, rank };

struct RankPair {
  std::string query;
  std::string text;
};

class EncoderSession {
 public:
  virtual ~EncoderSession() = default;

  // The embedding of each text, of length 1 (Euclidean), in order. A text longer than the encoder
  // holds is cut at its end. One that becomes no token (an empty one, where the encoder adds no
  // special token) has the zero vector. Throws Error (usage) on an encoder with a rank head.
  virtual std::vector<std::vector<float>> embed(std::span<const std::string> texts) = 0;

  // The scores of each pair, one a label, in order. A pair longer than the encoder holds has the
  // end of its text cut off, and of its query where that takes more than half of the room. Throws
  // Error (usage) on an encoder without a rank head.
  virtual std::vector<std::vector<float>> rank(std::span<const RankPair> pairs) = 0;

  // Tokens evaluated so far, special ones included.
  virtual std::uint64_t evaluations() const = 0;
};

class Encoder {
 public:
  virtual ~Encoder() = default;
  Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  virtual std::string name() const = 0;
  // A digest that differs for other weights, another quantisation or another vocabulary.
  virtual std::string identity() const = 0;
  virtual Pooling pooling() const = 0;
  virtual std::size_t dimensions() const = 0;  // of an embedding
  virtual std::size_t longest() const = 0;     // input in tokens, special ones included
  // The labels of the rank head, "" for one without a name; none without a rank head.
  virtual std::vector<std::string> labels() const = 0;
  // Whether the scores of a pair's labels are probabilities that sum to 1; else they are unbounded.
  virtual bool probabilities() const = 0;

  virtual std::unique_ptr<EncoderSession> open_session(int threads) const = 0;  // 0 = one a core
};

}  // namespace tq
