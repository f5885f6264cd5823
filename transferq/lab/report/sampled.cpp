#include "transferq/lab/report/sampled.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>

#include "transferq/core/error.hpp"
#include "transferq/decode/best_of.hpp"
#include "transferq/decode/plain.hpp"
#include "transferq/decode/token_value.hpp"
#include "transferq/eval/generator.hpp"
#include "transferq/lab/rollouts.hpp"
#include "transferq/lab/solve.hpp"
#include "transferq/reward/table.hpp"
#include "transferq/rollout/continuation.hpp"
#include "transferq/value/indirect.hpp"
#include "transferq/value/soft.hpp"

namespace tq::lab {
namespace {

// A mean with its standard error.
class Mean {
 public:
  void add(double x) {
    ++n_;
    const double d = x - mean_;
    mean_ += d / static_cast<double>(n_);
    squares_ += d * (x - mean_);
  }
  double mean() const { return mean_; }
  double error() const {
    const auto n = static_cast<double>(n_);
    return n_ < 2 ? 0 : std::sqrt(squares_ / (n - 1) / n);
  }

 private:
  std::size_t n_ = 0;
  double mean_ = 0, squares_ = 0;
};

// What a method is made of: a production decoder and the policy it calls its baseline.
struct Method {
  std::string name;
  std::shared_ptr<const Decoder> decoder;
  const Law* baseline;
  // Where values are estimated by draws: the law of candidates, and whose roll-outs.
  const Law* proposal = nullptr;
  const Law* roller = nullptr;
  bool kl = true;      // whether its KL is exact and not a bound
  bool first = false;  // whether to show the values of the first token
  Transfer transfer = Transfer::direct;
};

std::shared_ptr<const tabular::TabularModel> model_of(const Tree& tree, const Law& law,
                                                      const std::string& name) {
  tabular::Table table;
  for (Node node = 0; node < tree.size(); ++node) {
    if (tree.leaf(node)) continue;
    std::vector<double>& row = table[tree.prefix(node)];
    for (const double log : tree.children(law, node)) row.push_back(std::exp(log));
  }
  return std::make_shared<tabular::TabularModel>(
      tree.vocabulary(), table,
      tabular::TabularOptions{.name = name, .end = tree.end(), .begin = true});
}

std::shared_ptr<const Reward> baseline_reward_of(const World& world,
                                                 const std::shared_ptr<const Model>& reader) {
  std::map<std::vector<Token>, double> table;
  for (Node node = 0; node < world.tree.size(); ++node) {
    if (world.tree.leaf(node)) table[world.tree.prefix(node)] = world.baseline_reward[node];
  }
  return make_table_reward(std::move(table), reader);
}

std::shared_ptr<const Reward> reward_of(const World& world,
                                        const std::shared_ptr<const Model>& reader) {
  std::map<std::vector<Token>, double> table;
  for (Node node = 0; node < world.tree.size(); ++node) {
    const std::vector<Token> prefix = world.tree.prefix(node);
    if (world.tree.leaf(node)) {
      table[prefix] = world.reward[node];
    } else if (world.prefix_reward) {
      table[prefix] = (*world.prefix_reward)[node];
    }
  }
  return make_table_reward(std::move(table), reader);
}

std::vector<Method> methods(const World& world, const Law& target, const Law& other, const Law& top,
                            const SampleOptions& o) {
  const std::size_t all = world.tree.vocabulary();
  const auto plain = [](Proposal p) { return std::make_shared<PlainDecoder>(Choose::sample, p); };
  const auto valued = [&](std::size_t k, Proposal proposal, Proposal roller, bool greedy,
                          std::size_t horizon) {
    return std::make_shared<TokenValueDecoder>(
        TokenValueOptions{world.alpha, std::min(k, all), proposal, roller, Choose::sample},
        std::make_unique<Continuation>(ContinuationOptions{
            .horizon = horizon, .samples = greedy ? 1 : o.rollouts, .greedy = greedy}));
  };
  // Everything the other baseline proposes, its roll-outs weighted.
  const auto weighted = [&](double temperature, std::unique_ptr<Valuation> valuation) {
    return std::make_shared<TokenValueDecoder>(
        TokenValueOptions{temperature, all, Proposal::baseline, Proposal::baseline, Choose::sample},
        std::make_unique<Continuation>(
            ContinuationOptions{.horizon = world.tree.max_tokens(), .samples = o.rollouts}),
        std::move(valuation));
  };
  constexpr Proposal kBase = Proposal::baseline, kRef = Proposal::reference;
  const std::size_t end = world.tree.max_tokens(), k = world.top_k;
  const Law* const sft = &world.sft;
  std::vector<Method> out{
      {"sft", plain(kRef), sft},
      {"aligned_to_target", plain(kBase), &target},
      {"aligned_to_baseline_reward", plain(kBase), &other},
      {"tq_direct", valued(all, kBase, kBase, false, end), &target, &target, &target, true, true},
      {fmt::format("tq_direct_top{}", k), valued(k, kBase, kBase, false, end), &target, &top,
       &target},
      {"tq_direct_sft_proposal", valued(all, kRef, kBase, false, end), &target, sft, &target},
      {fmt::format("tq_direct_greedy_rollout_top{}", k), valued(k, kBase, kBase, true, end),
       &target},
      {"tq_direct_with_mismatched_baseline", valued(all, kBase, kBase, false, end), &other, &other,
       &other, true, true},
      {"tq_indirect", weighted(world.alpha, std::make_unique<Indirect>(world.beta)), &other, &other,
       &other, true, false, Transfer::indirect},
      {"tq_soft", weighted(world.beta, std::make_unique<Soft>(world.beta)), &other, &other, &other,
       true, false, Transfer::soft},
      {"cd", valued(all, kRef, kRef, false, end), sft, sft, sft, true, true},
  };
  if (world.prefix_reward) out.push_back({"args", valued(all, kRef, kRef, false, 0), sft});
  for (const std::size_t n : {2, 4, 16}) {
    out.push_back({fmt::format("best_of_{}", n), std::make_shared<BestOfDecoder>(n, kRef), sft,
                   nullptr, nullptr, false});
  }
  return out;
}

struct Drawn {
  Mean reward, kl;
  std::map<Token, Mean> first;
};

Drawn run(const World& world, const Method& method, const std::shared_ptr<const Model>& sft,
          const std::shared_ptr<const Reward>& reward,
          const std::shared_ptr<const Reward>& baseline_reward, const SampleOptions& o) {
  const Setup setup{Policy(sft, Format::raw),
                    Policy(model_of(world.tree, *method.baseline, method.name), Format::raw),
                    reward,
                    method.decoder,
                    world.tree.max_tokens(),
                    o.seed,
                    baseline_reward};
  SessionOptions session;
  session.cells = 1 << 16;
  Worker worker(setup, session);
  Drawn out;
  for (std::size_t i = 0; i < o.runs; ++i) {
    bool first = true;
    const Generated g =
        worker.generate(make_prompt(fmt::format("run {}", i), ""), o.stop, [&](const Step& step) {
          if (!first) return;
          first = false;
          for (const CandidateView& c : step.candidates) out.first[c.token].add(c.value);
        });
    out.reward.add(*g.decoded.reward);
    out.kl.add(g.decoded.kl_to_reference);
  }
  return out;
}

struct Expected {
  Mean reward, kl;
};

// The same by the laboratory's own draws.
Expected with_rollouts(const World& world, const Method& method, const SampleOptions& o) {
  constexpr std::size_t kBatches = 10, kRepeats = 40;
  Expected out;
  for (std::size_t batch = 0; batch < kBatches; ++batch) {
    const RolledLaw rolled =
        law_of_rollouts(world, *method.proposal, *method.roller, method.transfer,
                        {o.rollouts, kRepeats, o.seed * kBatches + batch});
    out.reward.add(expected(world.tree, rolled.law, world.reward)[0]);
    out.kl.add(rolled.kl);
  }
  return out;
}

}  // namespace

double SampledRow::deviation() const {
  const double both = std::hypot(error, expected_error);
  const double difference = std::abs(sampled - expected);
  if (difference <= 1e-9) return 0;
  return both > 0 ? difference / both : std::numeric_limits<double>::infinity();
}

std::vector<SampledRow> sample(const World& world, const SampleOptions& options) {
  if (options.runs < 2) {
    throw Error(ErrorKind::usage, "one run has no standard error; give --runs 2 or more");
  }
  if (options.rollouts == 0) {
    throw Error(ErrorKind::usage,
                "--rollouts 0 leaves nothing to estimate a value from; give 1 or more");
  }
  const Solution solution = solve(world);
  const Law& target = solution.at("aligned_to_target").law;
  const Law& other = solution.at("aligned_to_baseline_reward").law;
  const Law top = top_candidates(world.tree, target, world.top_k);
  const auto sft = model_of(world.tree, world.sft, "sft");
  const auto reward = reward_of(world, sft), baseline_reward = baseline_reward_of(world, sft);
  const double unseen =
      range_of(world.tree, world.reward).width() / static_cast<double>(options.runs);
  std::vector<SampledRow> out;
  for (const Method& method : methods(world, target, other, top, options)) {
    const Case& exact = solution.at(method.name);
    const Drawn drawn = run(world, method, sft, reward, baseline_reward, options);
    const auto add = [&](const std::string& number, double value, const Mean& sampled,
                         const Mean* rolled = nullptr) {
      out.push_back({method.name, number, value, rolled ? rolled->mean() : value,
                     rolled ? rolled->error() : 0, sampled.mean(), sampled.error()});
      // Equal draws say no more than that others are rarer than one in so many.
      if (number != "KL") out.back().error = std::max(out.back().error, unseen);
    };
    if (method.roller != nullptr) {
      const Expected rolled = with_rollouts(world, method, options);
      add("reward", exact.expected_reward, drawn.reward, &rolled.reward);
      add("KL", exact.kl_to_sft, drawn.kl, &rolled.kl);
    } else {
      add("reward", exact.expected_reward, drawn.reward);
      if (method.kl) add("KL", exact.kl_to_sft, drawn.kl);
    }
    if (!method.first) continue;
    for (const auto& [token, value] : drawn.first) {
      const Node node = world.tree.child(0, static_cast<std::size_t>(token));
      add(fmt::format("Q({})", token), (*exact.q)[node], value);
    }
  }
  return out;
}

}  // namespace tq::lab
