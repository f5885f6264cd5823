#include "transferq/decode/plain.hpp"

#include <array>
#include <cmath>

#include "transferq/core/logspace.hpp"
#include "transferq/decode/response.hpp"
#include "transferq/rollout/rollout.hpp"

namespace tq {

Stream& proposal_stream(const DecodeTask& task, Proposal proposal) {
  return proposal == Proposal::baseline ? task.baseline : task.reference;
}

Decoded PlainDecoder::decode(const DecodeTask& task, Evaluations&) const {
  Stream& stream = proposal_stream(task, proposal_);
  const bool is_reference = &stream == &task.reference;
  if (task.scorer != nullptr && task.scorer->reads(stream)) stream.keep_trail();
  Response response(task);
  double kl = 0;
  while (response.open()) {
    check_stop(task.stop);
    const std::vector<double>& logits = stream.state().logits;
    RandomKey key = task.key;
    key.step = static_cast<std::uint32_t>(response.size());
    const std::size_t likeliest = argmax(logits);
    const std::size_t token = choose_ == Choose::greedy ? likeliest : sample(logits, uniform(key));
    if (choose_ == Choose::greedy) {
      const std::vector<double>& reference = task.reference.state().logits;
      kl -= reference[token] - log_sum_exp(reference);
    } else if (!is_reference) {
      kl += kl_divergence(softmax(logits), log_softmax(task.reference.state().logits));
    }
    if (!stream.policy().model().is_end(
            static_cast<Token>(token))) {  // it is no text to go on from
      stream.append(static_cast<Token>(token));
      if (!is_reference) task.reference.append(static_cast<Token>(token));
    }
    response.add({{}, 0, static_cast<Token>(token), "", static_cast<Token>(likeliest)});
  }
  return response.finish(stream, kl);
}

}  // namespace tq
