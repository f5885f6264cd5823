// Seconds per emitted token of plain decoding, official and tq, side by side in one run, behind
// prompts of several lengths. The prompt's own evaluation and the first token are left out.
//
//   bench_decoders MODEL [TOKENS]      MODEL: a name of `tq models` or a GGUF file
//
// The reward is a linear head with random weights: its cost does not depend on them.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/decode/factory.hpp"
#include "transferq/eval/generator.hpp"
#include "transferq/policy/model_store.hpp"
#include "transferq/reward/linear_head.hpp"

namespace {

using Clock = std::chrono::steady_clock;

struct Contender {
  std::string name;
  tq::DecoderOptions options;
  bool own_reward_model;  // a head on another conversation format: nothing is shared
  std::size_t tokens;
};

struct Measured {
  double seconds = 0;      // a token
  double evaluations = 0;  // a token
};

// A head for the model, with weights that mean nothing.
std::shared_ptr<const tq::Reward> random_head(const std::shared_ptr<const tq::Model>& model,
                                              const std::string& text) {
  const auto file = std::filesystem::temp_directory_path() / fmt::format("tq-bench-{}.gguf", text);
  tq::HeadFile head{"random", model->name(), model->identity(), text, "last", "bench", {}, 0, {}};
  std::mt19937 random(1);
  for (std::size_t i = 0; i < model->hidden_size(); ++i) {
    head.weights.push_back(static_cast<float>(random() % 1000) / 1000 - 0.5f);
  }
  tq::write_head(file, head);
  auto reward = tq::make_linear_head(file, tq::Policy(model, tq::Format::raw));
  std::filesystem::remove(file);
  return reward;
}

// Plain English of about the given number of tokens.
tq::Prompt prompt_of(const tq::Model& model, std::size_t tokens) {
  const std::string sentence = " The rain fell on the quiet town and the people stayed at home.";
  std::string text = "A story.";
  while (model.tokenize(text + sentence, true).size() <= tokens) text += sentence;
  return tq::make_prompt("bench", text);
}

Measured measure(const tq::Setup& setup, const tq::Prompt& prompt) {
  std::vector<Clock::time_point> ticks;
  const tq::Generated g = tq::Worker(setup, {}).generate(
      prompt, {}, [&](const tq::Step&) { ticks.push_back(Clock::now()); });
  const auto n = static_cast<double>(ticks.size());
  const double seconds = std::chrono::duration<double>(ticks.back() - ticks.front()).count();
  const auto& e = g.evaluations;
  return {seconds / std::max(n - 1, 1.0),
          static_cast<double>(e.policy + e.reference + e.reward) / n};
}

int run(const std::string& name, std::size_t tokens) {
  tq::ModelStore store;
  const auto model = store.model(name);
  const auto shared = random_head(model, "conversation");
  // A head that reads the response alone has no use for the policy's states and pays in full.
  const auto separate = random_head(model, "response");
  tq::DecoderOptions tq_options;
  tq_options.name = "tq";
  tq_options.greedy_rollouts = true;
  tq::DecoderOptions plain, official;
  plain.name = "greedy";
  official.name = "official";
  const std::vector<Contender> contenders{{"plain", plain, false, 8 * tokens},
                                          {"official", official, false, tokens},
                                          {"tq, own reward model", tq_options, true, tokens},
                                          {"tq, shared session", tq_options, false, tokens}};
  fmt::print("{}, k = 10, 20-token greedy roll-outs\n", model->name());
  fmt::print("{:>7}  {:<22} {:>10} {:>14} {:>10}\n", "prompt", "decoder", "s a token",
             "evals a token", "x plain");
  for (const std::size_t length : {50, 200, 800}) {
    const tq::Prompt prompt = prompt_of(*model, length);
    double plain_seconds = 0;
    for (const Contender& c : contenders) {
      // Roll-outs are cut at the response's end, so allow for a full one behind the last token.
      const bool rolls = c.options.name == "tq";
      tq::Setup setup{tq::Policy(model, tq::Format::raw),
                      std::nullopt,
                      c.own_reward_model ? separate : shared,
                      tq::make_decoder(c.options, model->vocabulary()),
                      c.tokens + (rolls ? c.options.horizon : 0),
                      0};
      Measured m = measure(setup, prompt);
      if (plain_seconds == 0) plain_seconds = m.seconds;
      fmt::print("{:>7}  {:<22} {:>10.3f} {:>14.1f} {:>10.1f}\n", length, c.name, m.seconds,
                 m.evaluations, m.seconds / plain_seconds);
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "smollm2", argc > 2 ? std::stoul(argv[2]) : 6);
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench_decoders: {}\n", e.what());
    return 1;
  }
}
