// What a linear head reads of a response: the pooled hidden states of a causal model, after the
// final norm. The scorer of a head and `tq fit` read them by this one class.
//
//   last   the state after the last token of the text
//   end    the state after the token that ends a turn, put behind the text (as published
//          sequence-classification reward models are read)
//   mean   the mean of the states after the prompt's last token and after each of the response's
//
// Texts are prompt and response, or the response alone, which begins as the model begins a text. A
// response is tokenised as plain text: special tokens written out in it stay what they look like.
// One that makes the text longer than the context is cut at its end. Of the response alone, an
// empty one has no state: its feature is zero.
// Not thread-safe.
#pragma once

#include <vector>

#include "transferq/reward/text_reader.hpp"

namespace tq {

struct FeatureOptions {
  bool conversation = true;  // read prompt and response; else the response alone
  bool mean = false;         // pool by the mean; else the last token's state
  // Drafts' tokens are of this model's vocabulary: read them instead of the text, which might be
  // tokenised otherwise.
  bool policy_tokens = false;
  // Both, the last token's state and then the mean, [2 x hidden size], from one evaluation. Drafts
  // must not bring a hidden state.
  bool both = false;
  bool end = false;  // with neither: the state after the token that ends the turn
};

class FeatureReader {
 public:
  // Plans the work in the base's session. `base` and `sessions` must outlive the reader. Throws
  // Error (input) when the prompt alone exceeds the context.
  FeatureReader(const Policy& base, SessionPool& sessions, const Prompt& prompt,
                FeatureOptions options, const Workload& work);

  // Whether a hidden state of this policy is the feature of a response it holds.
  bool reads(const Stream& stream) const;
  // One feature a draft, [hidden size] (twice that for both); a draft that brings a hidden state
  // gives that.
  std::vector<std::vector<float>> read(std::span<const Draft> drafts);
  std::vector<ModelCost> costs() const;

 private:
  std::vector<Token> sequence(const Draft& draft) const;

  FeatureOptions options_;
  std::vector<Token> prompt_;  // what comes before the response
  TextReader reader_;
};

}  // namespace tq
