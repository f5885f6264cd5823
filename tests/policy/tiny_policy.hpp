// What tests above the engine share: tiny models in files of the test's own, random tables, and
// sessions of one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/engine/tiny_files.hpp"
#include "transferq/core/random.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/engine/llama/tiny_model.hpp"
#include "transferq/engine/tabular/model.hpp"
#include "transferq/policy/policy.hpp"

namespace tq::testing {

using Tokens = std::vector<Token>;

// Sessions of one thread with a 32-bit cache.
inline SessionOptions session_of(std::size_t cells = 0, std::size_t branches = 64) {
  SessionOptions options;
  options.cells = cells;
  options.branches = branches;
  options.threads = 1;
  options.cache = CacheType::f32;
  return options;
}

class TinyModels {
 public:
  std::filesystem::path file(const llama::TinyModelOptions& options = {}) {
    const auto path = folder_ / ("tiny" + std::to_string(++count_) + ".gguf");
    llama::write_tiny_model(path, options);
    return path;
  }
  std::shared_ptr<const Model> load(const llama::TinyModelOptions& options = {}) {
    return llama::load_model(file(options));
  }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

 private:
  TemporaryFolder folder_;
  int count_ = 0;
};

// A random distribution after every prefix of up to `depth` tokens that has not ended.
inline std::shared_ptr<const tabular::TabularModel> random_table(
    std::size_t vocabulary, std::size_t depth, std::uint64_t seed = 1,
    std::optional<Token> end = std::nullopt) {
  tabular::Table table;
  std::vector<tabular::Prefix> level{{}};
  std::uint32_t drawn = 0;
  for (std::size_t length = 0; length <= depth; ++length) {
    std::vector<tabular::Prefix> next;
    for (const tabular::Prefix& prefix : level) {
      std::vector<double> row(vocabulary);
      double sum = 0;
      for (double& p : row) sum += p = 0.05 + uniform({.seed = seed, .position = drawn++});
      for (double& p : row) p /= sum;
      table[prefix] = row;
      for (std::size_t z = 0; z < vocabulary; ++z) {
        const auto token = static_cast<Token>(z);
        if (end == token) continue;
        next.push_back(prefix);
        next.back().push_back(token);
      }
    }
    level = std::move(next);
  }
  return std::make_shared<tabular::TabularModel>(
      vocabulary, table, tabular::TabularOptions{.name = "random", .end = end});
}

// A table without an end token, where every token is as likely as any other: text of its tokens
// tokenises back to them, and nothing ever stops early, so costs are exact.
inline std::shared_ptr<const tabular::TabularModel> endless(std::size_t vocabulary) {
  return std::make_shared<tabular::TabularModel>(vocabulary, tabular::Table{},
                                                 tabular::TabularOptions{.name = "endless"});
}

// What a session of its own gives after the tokens.
inline Output evaluate(const Model& model, const Tokens& tokens, const Adapter& adapter = {}) {
  SessionOptions options = session_of(tokens.size(), 1);
  options.adapter = adapter;
  const auto session = model.open_session(options);
  const Feed feed{session->open(), tokens, Want::logits | Want::hidden};
  return session->forward({&feed, 1}).front();
}

inline Tokens operator+(Tokens a, const Tokens& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace tq::testing
