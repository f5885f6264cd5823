// What a linear head reads of a response: the pooled hidden states of a causal model, after the
// final norm. The scorer of a head and `tq fit` read them by this one class.
//
//   last   the state after the last token of the text
//   end    the state after the token that ends a turn, put behind the text (as published
//          sequence-classification reward models are read)
//   mean   the mean of the states after the prompt's last token and after each of the response's
//   max    the greatest of the states that the mean is of, number by number
//   min    the least of them
//
// Several of them, but end, may be read side by side, in this order.
// Texts are prompt and response, or the response alone, which begins as the model begins a text. A
// response is tokenised as plain text: special tokens written out in it stay what they look like.
// One that makes the text longer than the context is cut at its end. Of the response alone, an
// empty one has no state: its feature is zero.
// Not thread-safe.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "transferq/reward/text_reader.hpp"

namespace tq {

struct HeadPooling {
  bool last = false, end = false, mean = false, max = false, min = false;
  // Of what it reads, in the order in which it is read.
  std::vector<std::string_view> names() const;
  std::size_t parts() const { return names().size(); }
  bool whole() const { return mean || max || min; }  // whether it reads the states of all tokens
  bool operator==(const HeadPooling&) const = default;
};

// By the names above with commas between them, as head files have it. nullopt for anything else.
std::optional<HeadPooling> head_pooling(std::string_view name);

struct FeatureOptions {
  bool conversation = true;  // read prompt and response; else the response alone
  HeadPooling pooling{.last = true};
  // Drafts' tokens are of this model's vocabulary: read them instead of the text, which might be
  // tokenised otherwise.
  bool policy_tokens = false;
};

class FeatureReader {
 public:
  // Plans the work in the base's session. `base` and `sessions` must outlive the reader. Throws
  // Error (input) when the prompt alone exceeds the context.
  FeatureReader(const Policy& base, SessionPool& sessions, const Prompt& prompt,
                FeatureOptions options, const Workload& work);

  // Whether hidden states of this policy make the feature of a response it holds.
  bool reads(const Stream& stream) const;
  // One feature a draft, [parts x hidden size]. A draft that brings the states of all its tokens is
  // not evaluated; one that brings the last state alone is not where that is what is read.
  std::vector<std::vector<float>> read(std::span<const Draft> drafts);
  std::vector<ModelCost> costs() const;

 private:
  std::vector<Token> sequence(const Draft& draft) const;
  bool suffices(const Draft& draft) const;

  FeatureOptions options_;
  std::vector<Token> prompt_;  // what comes before the response
  TextReader reader_;
};

}  // namespace tq
