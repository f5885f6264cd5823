#include "transferq/fit/extract.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/core/text.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/eval/parallel.hpp"
#include "transferq/fit/feature_store.hpp"
#include "transferq/reward/features.hpp"

namespace tq {
namespace {

// Counted up when features of the same text become others.
constexpr int kFeatureVersion = 1;

// What comes before the response, in tokens.
std::vector<Token> before(const Unit& unit, const Policy& base, bool conversation) {
  return conversation ? base.encode(unit.prompt) : base.model().tokenize("", true);
}

std::string store_key(const Policy& base, const ExtractOptions& options, const char* pooling) {
  return fmt::format("{} {} {} {} {} {} {}", kFeatureVersion, llama::engine_version(),
                     base.model().identity(), base.format() == Format::chat ? "chat" : "raw",
                     options.conversation ? "conversation" : "response", pooling,
                     options.session.cache == CacheType::f16 ? "f16" : "f32");
}

std::string digest_of(const Unit& unit, std::size_t response, const Policy& base,
                      const ExtractOptions& options) {
  const std::string prompt = options.conversation ? base.render(unit.prompt) : "";
  return sha256(fmt::format("{}:{}{}", prompt.size(), prompt, unit.responses[response]));
}

// Cells that hold the longest unit, all of its responses side by side.
std::size_t cells_for(const std::vector<Unit>& units, const Policy& base,
                      const ExtractOptions& options) {
  std::size_t most = 1;
  for (const Unit& unit : units) {
    std::size_t cells = before(unit, base, options.conversation).size();
    for (const std::string& response : unit.responses) {
      cells += base.model().tokenize(response, false).size();
    }
    most = std::max(most, cells);
  }
  return most + 8;
}

// Features of one pooling: where they are kept, and where they go.
struct Pool {
  Pool(FeatureMatrix& to, const Policy& base, const ExtractOptions& options, const char* pooling,
       const std::set<std::string>& wanted, std::size_t rows)
      : matrix(to),
        store(options.store, store_key(base, options, pooling), base.model().hidden_size(),
              wanted) {
    matrix.columns = base.model().hidden_size();
    matrix.values.resize(rows * matrix.columns);
  }
  void put(std::size_t row, std::span<const float> feature) {
    std::copy(feature.begin(), feature.end(),
              matrix.values.begin() + static_cast<std::ptrdiff_t>(row * matrix.columns));
  }
  FeatureMatrix& matrix;
  FeatureStore store;
};

// Reads the features of all of a unit's responses: [responses][poolings x hidden size].
std::vector<std::vector<float>> read_unit(const Unit& unit, const Policy& base, SessionPool& pool,
                                          const ExtractOptions& options,
                                          std::atomic<std::uint64_t>& evaluations) {
  pool.begin_prompt();
  std::vector<Draft> drafts;
  for (const std::string& response : unit.responses) {
    drafts.emplace_back();
    drafts.back().text = response;
  }
  FeatureOptions reading;
  reading.conversation = options.conversation;
  reading.both = options.last && options.mean;
  reading.mean = options.mean && !reading.both;
  FeatureReader reader(base, pool, unit.prompt, reading, {0, drafts.size(), 0});
  auto features = reader.read(drafts);
  for (const ModelCost& cost : reader.costs()) evaluations += cost.prompt + cost.responses;
  for (const auto& feature : features) {
    if (std::all_of(feature.begin(), feature.end(), [](float x) { return std::isfinite(x); }))
      continue;
    throw Error(ErrorKind::model, fmt::format("the hidden state that {} gives is no finite number",
                                              base.model().name()));
  }
  return features;
}

}  // namespace

CutCounts cut_texts(std::vector<Unit>& units, const Policy& base, const ExtractOptions& options) {
  const std::size_t limit = std::min(options.max_tokens, base.model().context());
  CutCounts counts;
  std::erase_if(units, [&](Unit& unit) {
    const std::size_t prompt = before(unit, base, options.conversation).size();
    if (prompt >= limit) {
      ++counts.left_out;
      return true;
    }
    for (std::string& response : unit.responses) {
      std::vector<Token> tokens = base.model().tokenize(response, false);
      if (prompt + tokens.size() <= limit) continue;
      tokens.resize(limit - prompt);
      response = base.model().text(tokens, true);
      response.resize(complete_utf8(response));
      ++counts.cut;
    }
    const bool same = unit.responses.size() == 2 && unit.responses[0] == unit.responses[1];
    counts.identical += same ? 1 : 0;
    return same;
  });
  return counts;
}

Extracted extract_features(const std::vector<Unit>& units, const Policy& base,
                           const ExtractOptions& options, std::stop_token stop,
                           const std::function<void()>& done) {
  Extracted out;
  if (base.model().hidden_size() == 0) {
    throw Error(ErrorKind::model, fmt::format("{} has no hidden states to fit a head on; use "
                                              "another --model",
                                              base.model().name()));
  }
  std::vector<std::size_t> first_row;
  std::vector<std::string> digests;
  for (const Unit& unit : units) {
    first_row.push_back(digests.size());
    for (std::size_t r = 0; r < unit.responses.size(); ++r) {
      digests.push_back(digest_of(unit, r, base, options));
    }
  }
  out.texts = digests.size();
  const std::set<std::string> wanted(digests.begin(), digests.end());
  std::optional<Pool> last, mean;
  if (options.last) last.emplace(out.last, base, options, "last", wanted, out.texts);
  if (options.mean) mean.emplace(out.mean, base, options, "mean", wanted, out.texts);

  // Every row there is; of a unit, all rows are read or none, so that a feature does not depend on
  // what was there before.
  std::vector<std::size_t> missing;
  for (std::size_t u = 0; u < units.size(); ++u) {
    bool whole = true;
    for (std::size_t r = 0; r < units[u].responses.size(); ++r) {
      const std::size_t row = first_row[u] + r;
      for (auto* pool : {&last, &mean}) {
        if (!*pool) continue;
        const auto found = (*pool)->store.find(digests[row]);
        whole = whole && found.has_value();
        if (found) (*pool)->put(row, *found);
      }
    }
    if (!whole) missing.push_back(u);
    out.cached += whole ? units[u].responses.size() : 0;
    if (whole && done) done();
  }

  const auto threads = static_cast<std::size_t>(std::max(1, options.session.threads));
  const std::size_t workers = std::max<std::size_t>(1, std::min(threads, missing.size()));
  SessionOptions session = options.session;
  session.threads = static_cast<int>(std::max<std::size_t>(1, threads / workers));
  session.cells = cells_for(units, base, options);
  session.branches = 8;
  session.outputs = options.mean ? 512 : 0;  // the mean wants every token's state
  std::atomic<std::uint64_t> evaluations{0};
  run_parallel(missing.size(), missing.empty() ? 0 : workers, stop, [&](std::size_t) {
    auto sessions = std::make_shared<SessionPool>(session);
    return [&, sessions](std::size_t i) {
      const Unit& unit = units[missing[i]];
      std::vector<std::vector<float>> features;
      try {
        features = read_unit(unit, base, *sessions, options, evaluations);
      } catch (const Error& e) {
        throw Error(e.kind(), fmt::format("{}: {}", unit.source, e.what()));
      }
      for (std::size_t r = 0; r < features.size(); ++r) {
        const std::size_t row = first_row[missing[i]] + r;
        std::span<const float> rest(features[r]);
        for (auto* pool : {&last, &mean}) {
          if (!*pool) continue;
          const auto feature = rest.first(base.model().hidden_size());
          rest = rest.subspan(feature.size());
          (*pool)->put(row, feature);
          (*pool)->store.keep(digests[row], feature);
        }
      }
      if (done) done();
    };
  });
  if (stop.stop_requested()) {
    throw Error(ErrorKind::interrupted,
                "interrupted; the features read so far are kept, and the "
                "same command goes on from there");
  }
  out.evaluations = evaluations;
  for (auto* pool : {&last, &mean}) {
    if (!*pool) continue;
    out.damaged += (*pool)->store.damaged();
    if (out.trouble.empty()) out.trouble = (*pool)->store.trouble();
  }
  return out;
}

}  // namespace tq
