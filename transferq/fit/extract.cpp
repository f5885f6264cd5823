#include "transferq/fit/extract.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
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

std::string store_key(const Policy& base, const ExtractOptions& options, std::string_view pooling) {
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

// Reads the features of all of a unit's responses: [responses][parts x hidden size].
std::vector<std::vector<float>> read_unit(const Unit& unit, const Policy& base, SessionPool& pool,
                                          const ExtractOptions& options,
                                          std::atomic<std::uint64_t>& evaluations) {
  pool.begin_prompt();
  std::vector<Draft> drafts;
  for (const std::string& response : unit.responses) {
    drafts.emplace_back();
    drafts.back().text = response;
  }
  const FeatureOptions reading{options.conversation, options.pooling};
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

FeatureMatrix pooled_by(const HeadPooling& pooling, const Extracted& extracted) {
  const std::vector<std::string_view> all = extracted.pooling.names();
  const std::vector<std::string_view> wanted = pooling.names();
  const FeatureMatrix& from = extracted.features;
  const std::size_t width = from.columns / all.size();
  FeatureMatrix out{wanted.size() * width, {}};
  for (std::size_t i = 0; i * from.columns < from.values.size(); ++i) {
    for (std::size_t part = 0; part < all.size(); ++part) {
      if (std::find(wanted.begin(), wanted.end(), all[part]) == wanted.end()) continue;
      const auto feature = from.row(i).subspan(part * width, width);
      out.values.insert(out.values.end(), feature.begin(), feature.end());
    }
  }
  return out;
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
  const std::size_t width = base.model().hidden_size();
  std::deque<FeatureStore> stores;  // one a part of a feature
  for (const std::string_view part : options.pooling.names()) {
    stores.emplace_back(options.store, store_key(base, options, part), width, wanted);
  }
  out.pooling = options.pooling;
  out.features.columns = stores.size() * width;
  out.features.values.resize(out.texts * out.features.columns);
  // A part of a row.
  const auto place = [&](std::size_t row, std::size_t part) {
    return std::span(out.features.values).subspan((row * stores.size() + part) * width, width);
  };

  // Every row there is; of a unit, all rows are read or none, so that a feature does not depend on
  // what was there before.
  std::vector<std::size_t> missing;
  for (std::size_t u = 0; u < units.size(); ++u) {
    bool whole = true;
    for (std::size_t r = 0; r < units[u].responses.size(); ++r) {
      const std::size_t row = first_row[u] + r;
      for (std::size_t part = 0; part < stores.size(); ++part) {
        const auto found = stores[part].find(digests[row]);
        whole = whole && found.has_value();
        if (found) std::copy(found->begin(), found->end(), place(row, part).begin());
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
  session.outputs = options.pooling.whole() ? 512 : 0;
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
        for (std::size_t part = 0; part < stores.size(); ++part) {
          const auto feature = std::span<const float>(features[r]).subspan(part * width, width);
          std::copy(feature.begin(), feature.end(), place(row, part).begin());
          stores[part].keep(digests[row], feature);
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
  for (const FeatureStore& store : stores) {
    out.damaged += store.damaged();
    if (out.trouble.empty()) out.trouble = store.trouble();
  }
  return out;
}

}  // namespace tq
