// Every continuation there is, weighted by its probability: the value is then exact instead of an
// estimate. For finite models only, since the cost is vocabulary to the power of the horizon; on
// the tabular engine it is the reference that sampled roll-outs are tested against. Thread-safe.
#pragma once

#include "transferq/rollout/rollout.hpp"

namespace tq {

class Enumeration final : public Expander {
 public:
  Expansion expand(const ExpandRequest& request) const override;
  std::size_t width() const override { return 1; }
  std::size_t depth() const override { return 1; }
};

}  // namespace tq
