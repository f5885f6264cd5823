// Plain decoding of the proposal: its likeliest token each time, or a draw from it.
#pragma once

#include "transferq/decode/choice.hpp"
#include "transferq/decode/decoder.hpp"

namespace tq {

// The stream a decoder proposes from.
Stream& proposal_stream(const DecodeTask& task, Proposal proposal);

class PlainDecoder final : public Decoder {
 public:
  PlainDecoder(Choose choose, Proposal proposal) : choose_(choose), proposal_(proposal) {}
  Decoded decode(const DecodeTask& task, Evaluations& spent) const override;
  Workload workload(std::size_t max_tokens) const override { return {max_tokens, 1, 0}; }
  bool needs_reward() const override { return false; }
  Roles roles() const override { return roles_of(proposal_); }

 private:
  Choose choose_;
  Proposal proposal_;
};

}  // namespace tq
