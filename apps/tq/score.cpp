// tq score: the rewards of responses that are there already.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "commands.hpp"
#include "flags.hpp"
#include "score_summary.hpp"
#include "setup_file.hpp"
#include "signals.hpp"
#include "terminal.hpp"
#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/eval/parallel.hpp"
#include "transferq/eval/results_file.hpp"
#include "transferq/reward/reward_list.hpp"
#include "tuning.hpp"

namespace tq::app {
namespace {

struct ScoreFlags : SessionFlags {
  std::string file;
  std::string model = "smollm2";
  std::string reward;
  std::string prompt;  // before texts that have none
  std::string out;
  bool json = false;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  tq score answers.jsonl --reward head=sentiment\n"
    "      rows {\"id\", \"prompt\", \"response\"} in, rows {\"id\", \"reward\"} out\n"
    "  tq score pairs.jsonl --reward head=sentiment --out scores.jsonl\n"
    "      rows {\"prompt\", \"chosen\", \"rejected\"}; how often the reward prefers the chosen "
    "one "
    "is said at the end; type it again after a crash and it goes on\n";

Examples load(const std::string& file, const std::string& prompt) {
  Examples examples =
      file != "-" ? read_examples(file)
                  : parse_examples(std::string(std::istreambuf_iterator<char>(std::cin), {}),
                                   "standard input");
  for (Example& row : examples.rows) {
    if (!prompt.empty() && !row.has_prompt) row.prompt = make_prompt(row.id, prompt);
  }
  return examples;
}

// Tells rows of one id apart when the file was edited between two runs.
std::string digest_of(const ScoreItem& item) {
  std::string all;
  for (const Message& m : item.prompt.messages) all += m.role + '\0' + m.content + '\0';
  for (const std::string& response : item.responses) all += response + '\0';
  return sha256(all).substr(0, 16);
}

nlohmann::ordered_json row_of(const ScoreItem& item, const std::vector<double>& scores,
                              const std::string& settings = "") {
  nlohmann::ordered_json row{{"id", item.id}};
  if (!settings.empty()) {
    row["settings"] = settings;
    row["digest"] = digest_of(item);
  }
  row["reward"] = scores[0];
  if (scores.size() == 2) {
    row["reward_rejected"] = scores[1];
    row["correct"] = scores[0] > scores[1];
  }
  return row;
}

// Takes scores in any order. To standard output they go in the order of the items, to a file as
// they come. Thread-safe.
class Output {
 public:
  Output(std::span<const ScoreItem> items, const std::string& out, std::string settings)
      : items_(items), settings_(std::move(settings)) {
    if (out.empty()) return;
    std::set<std::string> ids;
    for (const ScoreItem& item : items) {
      if (ids.insert(item.id).second) continue;
      throw Error(ErrorKind::input,
                  fmt::format("line {}: the id '{}' is used twice, and --out tells rows by their "
                              "ids; rename one",
                              item.line, item.id));
    }
    std::vector<ExpectedRow> expected;
    for (const ScoreItem& item : items)
      expected.push_back({item.id, {{"digest", digest_of(item)}}});
    file_ = std::make_unique<ResultsFile>(out, settings_, expected);
    read_back(out);
  }

  bool has(std::size_t item) const { return scores_.count(item) > 0; }
  std::size_t finished() const { return scores_.size(); }

  void add(std::size_t item, const std::vector<double>& scores) {
    const std::lock_guard lock(mutex_);
    if (file_) {
      file_->append(items_[item].id, row_of(items_[item], scores, settings_).dump());
    }
    scores_[item] = scores;
    if (!file_) print_from(item);
  }

  // Prints what waits for rows that will not come.
  void flush() {
    if (file_) return;
    for (auto it = scores_.lower_bound(next_); it != scores_.end(); ++it) print_row(*it);
  }

  const Scores& scores() const { return scores_; }

 private:
  void print_from(std::size_t item) {
    if (item != next_) return;
    for (auto it = scores_.find(next_); it != scores_.end() && it->first == next_; ++it, ++next_) {
      print_row(*it);
    }
  }
  void print_row(const Scores::value_type& entry) const {
    print(row_of(items_[entry.first], entry.second).dump() + "\n");
  }
  // The scores of the rows that an earlier run finished.
  void read_back(const std::string& out) {
    std::map<std::string, std::size_t> by_id;
    for (std::size_t i = 0; i < items_.size(); ++i) by_id[items_[i].id] = i;
    std::ifstream file(out);
    for (std::string line; std::getline(file, line);) {
      const auto row = nlohmann::json::parse(line);
      const auto item = by_id.find(row.at("id").get<std::string>());
      if (item == by_id.end()) continue;
      std::vector<double>& scores = scores_[item->second];
      scores = {row.at("reward").get<double>()};
      if (row.contains("reward_rejected")) scores.push_back(row["reward_rejected"].get<double>());
    }
  }

  std::span<const ScoreItem> items_;
  std::string settings_;
  std::unique_ptr<ResultsFile> file_;
  std::mutex mutex_;
  Scores scores_;
  std::size_t next_ = 0;  // the first item that was not printed
};

// Scores all items that `output` lacks; returns the tokens evaluated.
std::uint64_t score_all(std::span<const ScoreItem> items, const Reward& reward,
                        SessionOptions session, Output& output, std::stop_token stop) {
  std::vector<ScoreItem> left;
  std::vector<std::size_t> number;  // of each in `items`
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (output.has(i)) continue;
    left.push_back(items[i]);
    number.push_back(i);
  }
  std::vector<std::span<const ScoreItem>> runs;
  std::span<const ScoreItem> rest(left);
  for (const std::size_t count : runs_of_prompt(left, ScoringWorker::kTogether)) {
    runs.push_back(rest.first(count));
    rest = rest.subspan(count);
  }
  Progress progress(items.size(), output.finished());
  const auto threads = static_cast<std::size_t>(session.threads);
  const std::size_t workers = std::max<std::size_t>(1, std::min(threads, runs.size()));
  session.threads = static_cast<int>(std::max<std::size_t>(1, threads / workers));
  std::atomic<std::uint64_t> evaluations{0};
  run_parallel(runs.size(), workers, stop, [&](std::size_t) {
    auto worker = std::make_shared<ScoringWorker>(reward, session);
    return [&, worker](std::size_t i) {
      const std::uint64_t before = worker->evaluations();
      const auto first = static_cast<std::size_t>(runs[i].data() - left.data());
      worker->score(runs[i], [&](std::size_t k, const std::vector<double>& scores) {
        output.add(number[first + k], scores);
        progress.advance();
      });
      evaluations += worker->evaluations() - before;
    };
  });
  return evaluations;
}

void run_score(CLI::App& command, ScoreFlags& f) {
  const std::stop_token stop = stop_on_signals();
  if (!f.setup.empty()) apply_setup_file(command, f.setup);
  if (f.reward.empty()) {
    throw Error(ErrorKind::usage, "name what to score by with --reward, such as head=sentiment");
  }
  SessionOptions session = session_options_of(f);
  const Format format = format_of(f);
  const Examples examples = load(f.file, f.prompt);
  const std::vector<ScoreItem> items = items_of(examples);
  ModelStore models({f.gpu_layers});
  apply_tuning(f, *models.model(f.model), session);
  const auto reward = make_reward(f.reward, models, models.model(f.model), format);
  const bool pairs = examples.rows.empty();
  const std::string settings =
      sha256(fmt::format("score {} {} {} {} {}", pairs ? "pairs" : "rows",
                         reward->info().fingerprint, f.format, f.cache, f.context));
  Output output(items, f.out, settings.substr(0, 16));
  std::uint64_t evaluations = 0;
  try {
    evaluations = score_all(items, *reward, session, output, stop);
  } catch (...) {
    output.flush();
    throw;
  }
  if (stop.stop_requested()) {
    output.flush();
    throw Error(ErrorKind::interrupted,
                f.out.empty()
                    ? interruption()
                    : fmt::format("{}; the finished rows are in {}, and the same command goes on "
                                  "from there",
                                  interruption(), f.out));
  }
  if (examples.identical + examples.empty > 0) {
    fmt::print(stderr, "left out: {} pairs of one text twice, {} with an empty response\n",
               examples.identical, examples.empty);
  }
  fmt::print(stderr, "{}{} token evaluations\n", score_summary(items, output.scores()),
             evaluations);
}

}  // namespace

void add_score(CLI::App& app) {
  auto flags = std::make_shared<ScoreFlags>();
  CLI::App* command =
      app.add_subcommand("score", "Score responses, or pairs of a better and a worse one");
  command
      ->add_option(
          "file", flags->file,
          "One {\"id\", \"prompt\"|\"messages\", \"response\"[, \"label\"]} or {\"id\", "
          "\"prompt\"|\"messages\", \"chosen\", \"rejected\"} a line, gzip or not; - reads "
          "standard input")
      ->option_text("FILE.jsonl|-")
      ->required();
  command->add_option("--reward", flags->reward, reward_help())->option_text("LIST");
  command
      ->add_option("--model", flags->model,
                   "The model of rewards that name none: a name from `tq models` or a GGUF file")
      ->option_text("MODEL [smollm2]");
  command->add_option("--prompt", flags->prompt, "A prompt to put before texts that have none")
      ->option_text("TEXT");
  command
      ->add_option("--out", flags->out,
                   "Append rows to this file; finished ids are skipped when it is there already")
      ->option_text("FILE.jsonl");
  command->add_flag("--json", flags->json, "Print rows of JSON, as is always done");
  add_session_flags(*command, *flags);
  command->footer(kExamples);
  command->callback([command, flags] { run_score(*command, *flags); });
}

}  // namespace tq::app
