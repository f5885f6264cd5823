#include "transferq/lab/bounds.hpp"

#include <algorithm>
#include <cmath>

namespace tq::lab {

Theorem1 theorem1(const World& world, const Law& aligned, const Law& decoder) {
  const Tree& tree = world.tree;
  const Node best = best_response(world);
  const Values reach = log_reach(tree, world.sft);
  double least = 0;
  for (Node node = 0; node < tree.size(); ++node) {
    if (tree.leaf(node) && std::isfinite(reach[node])) least = std::min(least, world.reward[node]);
  }
  const double r_max = world.reward[best] - least;
  Theorem1 out;
  out.best_response = -world.beta * reach[best];
  out.regularisation = world.beta * kl_divergence(tree, aligned, world.sft);
  out.kl_alignment = r_max / world.beta;
  if (std::isinf(world.alpha)) return out;
  out.decoding = world.alpha * kl_divergence(tree, decoder, aligned);
  out.kl_decoding = static_cast<double>(tree.max_tokens()) * r_max / world.alpha;
  return out;
}

}  // namespace tq::lab
