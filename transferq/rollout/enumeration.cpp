#include "transferq/rollout/enumeration.hpp"

#include <array>
#include <cmath>

#include "transferq/core/logspace.hpp"
#include "transferq/engine/model.hpp"

namespace tq {
namespace {

struct Walk {
  const ExpandRequest& request;
  Expansion& expansion;

  Output evaluate(const Branch& branch, const Token& token) const {
    const std::array<Feed, 1> feeds{
        Feed{branch.id(), std::span(&token, 1),
             request.hidden ? Want::logits | Want::hidden : Want::logits}};
    ++expansion.evaluations;
    return branch.session().forward(feeds).front();
  }

  // Continues `rollout`, whose tokens lie on `branch`, in every way that has a probability.
  void visit(const Branch& branch, const Output& output, Rollout rollout, std::size_t room) const {
    check_stop(request.stop);
    if (request.hidden) rollout.trail.append(output.hidden);
    if (room == 0) {
      expansion.rollouts.push_back(std::move(rollout));
      return;
    }
    const std::vector<double> p = softmax(output.logits);
    for (std::size_t z = 0; z < p.size(); ++z) {
      if (p[z] <= 0) continue;
      const auto token = static_cast<Token>(z);
      Rollout next = rollout;
      next.tokens.push_back(token);
      next.weight *= p[z];
      if (branch.session().model().is_end(token)) {
        expansion.rollouts.push_back(std::move(next));
        continue;
      }
      const Branch grown = branch.fork();
      visit(grown, evaluate(grown, token), std::move(next), room - 1);
    }
  }
};

}  // namespace

Expansion Enumeration::expand(const ExpandRequest& request) const {
  Expansion expansion;
  expansion.branches.resize(request.candidates.size());
  expansion.outputs.resize(request.candidates.size());
  expansion.trails.resize(request.candidates.size());
  const Walk walk{request, expansion};
  for (std::size_t c = 0; c < request.candidates.size(); ++c) {
    Rollout start{c, {}, 1.0};
    if (request.trunk.session().model().is_end(request.candidates[c])) {
      expansion.rollouts.push_back(start);
      continue;
    }
    expansion.branches[c] = request.trunk.fork();
    expansion.outputs[c] = walk.evaluate(expansion.branches[c], request.candidates[c]);
    if (request.hidden) start.trail = request.trail;
    walk.visit(expansion.branches[c], expansion.outputs[c], start, request.room - 1);
    if (!request.hidden) continue;
    expansion.trails[c] = request.trail;
    expansion.trails[c].append(expansion.outputs[c].hidden);
  }
  return expansion;
}

}  // namespace tq
