// Seconds per emitted token of plain decoding, official and tq, side by side in one run, behind
// prompts of several lengths. The prompt's own evaluation and the first token are left out.
//
//   bench_decoders MODEL REWARD_MODEL [TOKENS]     names of `tq models` or GGUF files
//
// The reward is a linear head with small random weights: its cost does not depend on them, and the
// text stays the model's own.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/decode/factory.hpp"
#include "transferq/eval/bench/measure.hpp"
#include "transferq/policy/model_store.hpp"
#include "transferq/reward/linear_head.hpp"

namespace {

struct Contender {
  std::string name;
  tq::DecoderOptions options;
  std::shared_ptr<const tq::Reward> reward;
  std::size_t tokens;
};

// A head for the model, with weights that mean nothing and hardly move a choice.
std::shared_ptr<const tq::Reward> random_head(const std::shared_ptr<const tq::Model>& model) {
  const auto file = std::filesystem::temp_directory_path() / "tq-bench-head.gguf";
  tq::HeadFile head;
  head.name = "random";
  head.base_name = model->name();
  head.base_identity = model->identity();
  head.text = "conversation";
  head.pooling = "last";
  head.provenance = "bench";
  std::mt19937 random(1);
  for (std::size_t i = 0; i < model->hidden_size(); ++i) {
    head.weights.push_back((static_cast<float>(random() % 1000) / 1000 - 0.5f) / 100);
  }
  tq::write_head(file, head);
  auto reward = tq::make_linear_head(file, tq::Policy(model, tq::Format::raw));
  std::filesystem::remove(file);
  return reward;
}

// Behind a prompt of this length; roll-outs are never cut short by the end of the response.
tq::Measured measure(const Contender& c, const tq::Policy& policy, std::size_t length) {
  const tq::Setup setup{policy,
                        std::nullopt,
                        c.reward,
                        tq::make_decoder(c.options, policy.model().vocabulary()),
                        c.tokens + c.options.horizon + 3,
                        0};
  tq::BenchOptions options;
  options.tokens = c.tokens;
  return tq::measure_decoding(setup, {tq::bench_prompt(policy, length, 0)}, options);
}

int run(const std::string& name, const std::string& reward_name, std::size_t tokens) {
  tq::ModelStore store;
  const auto model = store.model(name);
  const auto other = store.model(reward_name);
  const tq::Policy policy(model, tq::Format::raw);
  const auto shared = random_head(model);
  const auto separate = random_head(other);
  tq::DecoderOptions plain, official, values;
  plain.name = "greedy";
  official.name = "official";
  values.name = "tq";
  values.greedy_rollouts = true;
  const std::vector<Contender> contenders{
      {"plain", plain, shared, 8 * tokens},
      {"official", official, shared, tokens},
      {"tq", values, shared, tokens},
      {"tq, reward on " + reward_name, values, separate, tokens}};
  fmt::print("{}, k = 10, 20-token greedy roll-outs\n", model->name());
  fmt::print("{:>7}  {:<28} {:>10} {:>14} {:>10}\n", "prompt", "decoder", "s a token",
             "evals a token", "x plain");
  for (const std::size_t length : {50, 200, 800}) {
    double plain_seconds = 0;
    for (const Contender& c : contenders) {
      const tq::Measured m = measure(c, policy, length);
      if (plain_seconds == 0) plain_seconds = m.seconds;
      fmt::print("{:>7}  {:<28} {:>10.3f} {:>14.1f} {:>10.1f}\n", length, c.name, m.seconds,
                 m.evaluations, m.seconds / plain_seconds);
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 3) {
      fmt::print(stderr, "usage: bench_decoders MODEL REWARD_MODEL [TOKENS]\n");
      return 2;
    }
    return run(argv[1], argv[2], argc > 3 ? std::stoul(argv[3]) : 5);
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench_decoders: {}\n", e.what());
    return 1;
  }
}
