// experiment_run OUT.jsonl PROMPTS WORKERS: an experiment on a table (tabular_experiment.hpp), or
// what is left of it, for a test that kills it. Its rows are exact: they may differ in `seconds`.
#include <exception>
#include <iostream>

#include "tests/eval/experiment/tabular_experiment.hpp"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "experiment_run OUT.jsonl PROMPTS WORKERS\n";
    return 2;
  }
  try {
    const auto experiment = tq::testing::tabular_experiment(
        tq::testing::tabular_prompts(std::stoul(argv[2])), {0, 1, 2});
    const auto failures = tq::testing::carry_out(experiment, argv[1], std::stoul(argv[3]));
    for (const auto& failure : failures) std::cerr << failure.reason << '\n';
    return failures.empty() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "experiment_run: " << error.what() << '\n';
    return 1;
  }
}
