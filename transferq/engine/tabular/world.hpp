// A small world with known answers, as a JSON file: a reference policy, rewards, and what every
// method must give on it (`cases`).
//
// Thread-safety: plain values.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "transferq/engine/tabular/model.hpp"

namespace tq::tabular {

struct TabularWorld {
  std::size_t vocabulary = 0;
  std::size_t max_tokens = 0;  // of a response
  std::optional<Token> end;    // `eos`; absent or null: every response has max_tokens tokens
  double alpha = 0;
  double beta = 0;
  std::size_t top_k = 0;
  Table sft;                                 // the reference
  std::map<Prefix, double> reward;           // of finished responses, by the target
  std::map<Prefix, double> baseline_reward;  // of finished responses, by the baseline's reward
  std::map<Prefix, double> prefix_reward;    // of partial and finished responses, by the target;
                                             // empty where the file has none
  std::optional<double> max_reward;          // as written
  nlohmann::json cases;                      // as written, an object; what read_table() reads is in
                                             // cases.NAME.policy

  // A model over one of the world's policies, with a begin token (so that a prompt may be empty).
  std::shared_ptr<const TabularModel> model(const Table& policy, const std::string& name) const;
};

// `what` names the source in error messages. Throws Error (input) for a world that is malformed or
// has a key it should not, (io) for a file that can't be read.
TabularWorld load_world(const std::filesystem::path& path);
TabularWorld parse_world(const nlohmann::json& json, const std::string& what = "the world");

// {"0.1": [probabilities]} as a checked table. Throws Error (input).
Table read_table(const nlohmann::json& json, std::size_t vocabulary, const std::string& what);

}  // namespace tq::tabular
