// tq fit --data: a head from pairs or labelled texts.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "fit.hpp"
#include "fit_report.hpp"
#include "signals.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/fit/feature_store.hpp"
#include "transferq/policy/model_store.hpp"
#include "write_file.hpp"

namespace tq::app {
namespace {

ExampleFormat data_format(const std::string& name) {
  if (name == "jsonl") return ExampleFormat::json;
  if (name == "hh") return ExampleFormat::hh;
  return name == "labelled" ? ExampleFormat::labelled : ExampleFormat::automatic;
}

Loss loss_of(const FitFlags& f, const Units& units) {
  if (f.loss == "pairwise" && !units.pairs) {
    throw Error(ErrorKind::usage,
                "--loss pairwise needs pairs, and the data has single responses; leave it out");
  }
  if (f.loss == "auto") return units.pairs ? Loss::pairwise : Loss::logistic;
  return f.loss == "pairwise" ? Loss::pairwise : Loss::logistic;
}

// What the head reads, and whether the features are read with a prompt. Texts without prompts are
// read by themselves, whatever the head reads later.
struct Reads {
  std::string text;
  bool prompts;
};

Reads reads_of(const FitFlags& f, const std::vector<Unit>& units, const std::vector<Unit>& test) {
  bool with = false;
  const Unit* without = nullptr;
  for (const auto* part : {&units, &test}) {
    for (const Unit& unit : *part) {
      if (!unit.prompt.messages.empty()) {
        with = true;
      } else if (without == nullptr) {
        without = &unit;
      }
    }
  }
  if (f.text == "response") return {"response", false};
  if (!with) return {f.text.empty() ? "response" : f.text, false};
  if (without != nullptr) {
    throw Error(ErrorKind::input, fmt::format("{}: no prompt, while other examples have one; add "
                                              "it, or fit with --text response",
                                              without->source));
  }
  return {"conversation", true};
}

// Puts the test behind the training units, of which those are left out whose group the test has.
Split join_test(Units& units, Units test, std::size_t& shared) {
  std::set<std::string> groups;
  for (const Unit& unit : test.units) groups.insert(unit.group);
  shared = std::erase_if(units.units, [&](const Unit& u) { return groups.count(u.group) > 0; });
  const std::size_t fitted = units.units.size();
  append(units, std::move(test));
  Split split;
  for (std::size_t i = 0; i < units.units.size(); ++i) {
    (i < fitted ? split.training : split.held_out).push_back(i);
  }
  return split;
}

std::vector<std::string> groups_of(const std::vector<Unit>& units) {
  std::vector<std::string> groups;
  for (const Unit& unit : units) groups.push_back(unit.group);
  return groups;
}

FeatureSet make_set(const std::vector<Unit>& units, bool pairs, FeatureMatrix features) {
  FeatureSet set{pairs, std::move(features), {}, groups_of(units)};
  for (const Unit& unit : units) set.labels.push_back(unit.label);
  return set;
}

// The poolings to choose from; the last one has the parts of all.
std::vector<std::string> poolings_of(const FitFlags& f) {
  if (f.pooling == "auto") return {"last", "mean", "last,mean", "last,mean,max,min"};
  const std::optional<HeadPooling> pooling = head_pooling(f.pooling);
  if (pooling && !pooling->end) return {f.pooling};
  throw Error(ErrorKind::usage,
              fmt::format("--pooling {} {}; give auto, or some of last,mean,max,min in this order",
                          f.pooling, pooling ? "is for imported heads" : "is not known"));
}

HeadFile head_of(const FitFlags& f, const FitReport& r, const Model& model) {
  HeadFile head;
  head.name = head_name(f);
  head.base_name = model.name();
  head.base_identity = model.identity();
  head.text = r.text;
  head.pooling = r.poolings[r.fit.set];
  head.provenance = fmt::format("tq fit on {} {} of {}", r.fitted,
                                r.pairs ? "pairs" : "labelled texts", file_names(f.data));
  head.weights = r.fit.map.weights;
  head.bias = r.fit.map.bias;
  head.calibration = r.fit.calibration;
  const Proportion& accuracy = r.fit.accuracy;
  head.training =
      HeadTraining{r.format, r.loss,     r.data,         TQ_VERSION,   r.fit.l2,     r.seed,
                   r.fitted, r.held_out, accuracy.value, accuracy.low, accuracy.high};
  return head;
}

ExtractOptions extract_options(const FitFlags& f, bool prompts,
                               const std::vector<std::string>& poolings) {
  ExtractOptions options;
  options.conversation = prompts;
  options.pooling = *head_pooling(poolings.back());
  options.max_tokens = f.max_tokens;
  options.store = features_folder();
  options.session = session_of(f);
  return options;
}

}  // namespace

std::optional<double> strength(const std::string& text) {
  if (text == "auto") return std::nullopt;
  double value = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || at != text.data() + text.size() || !(value >= 1e-9) || value > 1e9) {
    throw Error(ErrorKind::usage,
                fmt::format("--l2 {} is neither auto nor a number from 1e-9 to 1e9", text));
  }
  return value;
}

SessionOptions session_of(const FitFlags& f) {
  SessionOptions session;
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  session.threads = f.threads > 0 ? std::min(f.threads, cores) : cores;
  session.cache = f.cache == "f32" ? CacheType::f32 : CacheType::f16;
  return session;
}

std::string file_names(const std::string& files) {
  std::vector<std::string> names;
  std::istringstream list(files);
  for (std::string file; std::getline(list, file, ',');) {
    names.push_back(std::filesystem::path(file).filename().string());
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

const std::vector<std::string>& data_formats() {
  static const std::vector<std::string> names{"auto", "jsonl", "hh", "labelled"};
  return names;
}

Units read_units(const std::string& files, const std::string& format, const std::string& prompt) {
  Units units;
  std::istringstream list(files);
  for (std::string file; std::getline(list, file, ',');) {
    append(units, make_units(read_examples(file, data_format(format)), file));
  }
  for (Unit& unit : units.units) {
    if (!prompt.empty() && unit.prompt.messages.empty()) unit.prompt = make_prompt("", prompt);
  }
  return units;
}

void fit_on_data(const FitFlags& f) {
  const std::stop_token stop = stop_on_signals();
  const std::optional<double> l2 = strength(f.l2);
  const std::vector<std::string> poolings = poolings_of(f);
  check_out(f.out);
  ModelStore models({f.gpu_layers});
  const Policy base(models.model(f.model), f.format == "raw" ? Format::raw : Format::chat);

  Units units = read_units(f.data, f.data_format, f.prompt);
  if (f.limit > 0) units.units = sample(std::move(units.units), f.limit, f.seed);
  Units test;
  if (!f.test.empty()) test = read_units(f.test, f.data_format, f.prompt);
  const Loss loss = loss_of(f, units);
  const Reads reads = reads_of(f, units.units, test.units);
  const ExtractOptions options = extract_options(f, reads.prompts, poolings);

  FitReport r;
  for (Units* part : {&units, &test}) {
    const CutCounts counts = cut_texts(part->units, base, options);
    r.cut.cut += counts.cut;
    r.cut.left_out += counts.left_out;
    r.cut.identical += counts.identical;
  }
  const Split split = f.test.empty() ? hold_out(groups_of(units.units), f.holdout, f.seed)
                                     : join_test(units, std::move(test), r.shared);
  {
    Progress progress(units.units.size(), 0);
    r.features = extract_features(units.units, base, options, stop, [&] { progress.advance(); });
  }
  std::vector<FeatureSet> sets;
  r.poolings = poolings;
  for (const std::string& name : r.poolings) {
    sets.push_back(make_set(units.units, units.pairs, pooled_by(*head_pooling(name), r.features)));
  }
  r.features.features = {};  // the sets have them
  std::vector<const FeatureSet*> views;
  for (const FeatureSet& set : sets) views.push_back(&set);
  r.fit = fit_head(views, split,
                   {loss, l2, f.folds, f.seed, static_cast<std::size_t>(options.session.threads)});

  r.out = f.out;
  r.model = base.model().name();
  r.format = f.format;
  r.text = reads.text;
  r.loss = loss == Loss::pairwise ? "pairwise" : "logistic";
  r.pairs = units.pairs;
  r.identical = units.identical;
  r.empty = units.empty;
  r.fitted = split.training.size();
  r.held_out = split.held_out.size();
  r.folds = f.folds;
  r.seed = f.seed;
  r.data = fingerprint(units.units);
  write_head(f.out, head_of(f, r, base.model()));
  print(f.json ? report_json(r).dump() + "\n" : report_text(r));
}

}  // namespace tq::app
