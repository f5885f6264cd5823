#include "transferq/reward/program.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/reward/child_process.hpp"
#include "transferq/reward/outside.hpp"

namespace tq {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLongestLine = std::size_t{1} << 20;
constexpr std::size_t kWriteAhead = std::size_t{1} << 16;  // bytes made ready for the pipe
constexpr std::size_t kShown = std::size_t{1} << 14;       // bytes of its messages that are shown
constexpr std::size_t kKept = 4096;                        // the end of them, to quote from
constexpr std::chrono::milliseconds kGrace{500};

// The drafts of a call: what is still to be sent, and the answers.
class Ledger {
 public:
  Ledger(Gathering::Rows rows, std::uint64_t first_id)
      : rows_(rows), first_id_(first_id), outcomes_(rows.size()) {
    start_over();
  }

  // A new program knows of nothing: what is not answered is sent again.
  void start_over() {
    unsent_.clear();
    for (std::size_t i = rows_.size(); i-- > 0;) {
      if (!outcomes_[i]) unsent_.push_back(i);
    }
    open_.assign(rows_.size(), false);
    waiting_ = 0;
  }
  bool complete() const { return answered_ == rows_.size(); }
  std::size_t answered() const { return answered_; }
  std::size_t waiting() const { return waiting_; }
  bool all_sent() const { return unsent_.empty(); }

  std::string next_line() {
    const std::size_t i = unsent_.back();
    unsent_.pop_back();
    open_[i] = true;
    ++waiting_;
    nlohmann::ordered_json line{{"id", first_id_ + i}};
    line.update(row_json(*rows_[i]));
    return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }

  // Takes a line of the program. Returns what is wrong with it where that puts all that it has not
  // answered yet in doubt.
  std::string take(const std::string& line, const std::string& program) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) {
      return "which is no JSON object (and no reward: a reward is a finite number)";
    }
    const auto id = json.find("id");
    if (id == json.end() || !id->is_number_unsigned()) return "which has no \"id\" of a draft";
    const std::uint64_t number = id->get<std::uint64_t>();
    if (number < first_id_ || number - first_id_ >= rows_.size()) {
      return fmt::format("but no draft it was given has the id {}", number);
    }
    const std::size_t i = number - first_id_;
    if (!open_[i]) {
      if (!outcomes_[i]) return fmt::format("but it was not given the id {} yet", number);
      fail(i, fmt::format("the reward program '{}' answered a draft twice, the second time with "
                          "'{}'; it must print one line for each",
                          program, excerpt(line)));
      return fmt::format("but it had answered the id {} before", number);
    }
    open_[i] = false;
    --waiting_;
    ++answered_;
    const auto reward = json.find("reward");
    if (json.contains("error")) {
      const auto& why = json["error"];
      fail(i, fmt::format("the reward program '{}' can't score a response: '{}'; mend the program "
                          "or the prompt",
                          program, excerpt(why.is_string() ? why.get<std::string>() : why.dump())));
    } else if (reward == json.end() || !reward->is_number() ||
               !std::isfinite(reward->get<double>())) {
      fail(i, fmt::format("the reward program '{}' said '{}', whose \"reward\" is no finite "
                          "number; mend the program",
                          program, excerpt(line)));
    } else {
      outcomes_[i] = Scored{reward->get<double>(), std::nullopt};
    }
    return "";
  }

  std::vector<Scored> outcomes(const std::string& why_not) const {
    std::vector<Scored> out;
    for (const auto& outcome : outcomes_) {
      out.push_back(outcome.value_or(Scored{0, Failure{ErrorKind::io, why_not, true}}));
    }
    return out;
  }

 private:
  void fail(std::size_t i, const std::string& why) {
    outcomes_[i] = Scored{0, Failure{ErrorKind::io, why}};
  }

  Gathering::Rows rows_;
  std::uint64_t first_id_;
  std::vector<std::size_t> unsent_;  // the next one last
  std::vector<bool> open_;           // sent to the program that runs now, and not answered
  std::size_t waiting_ = 0;          // how many are
  std::size_t answered_ = 0;
  std::vector<std::optional<Scored>> outcomes_;
};

// The program, running or not. Not thread-safe.
class Program {
 public:
  explicit Program(ProgramOptions options) : options_(std::move(options)) {}

  std::vector<Scored> score(Gathering::Rows rows) {
    Ledger ledger(rows, next_id_);
    next_id_ += rows.size();
    std::string why;
    for (std::size_t deaths = 0; !ledger.complete();) {
      const std::size_t before = ledger.answered();
      if (!child_) start();
      ledger.start_over();
      const auto [end, said] = converse(ledger);
      if (end == End::complete) break;
      const std::string how = stop();
      if (end == End::garbage) {
        why = fmt::format(
            "the reward program '{}' said {}; it must print one line "
            "{{\"id\": n, \"reward\": x}} for each draft on its standard output, and "
            "nothing else",
            name(), said);
        break;
      }
      deaths = ledger.answered() > before ? 1 : deaths + 1;
      if (deaths <= options_.restarts) continue;
      why = end == End::silent ? silence(deaths) : death(deaths, how);
      break;
    }
    return ledger.outcomes(why);
  }

 private:
  enum class End { complete, died, silent, garbage };

  std::string name() const { return excerpt(options_.command); }

  std::string last_message() const {
    const std::size_t end = messages_.find_last_not_of(" \t\r\n");
    if (end == std::string::npos) return "";
    const std::size_t start = messages_.find_last_of('\n', end);
    const std::size_t from = start == std::string::npos ? 0 : start + 1;
    return excerpt(std::string_view(messages_).substr(from, end + 1 - from));
  }

  std::string times(std::size_t n) const {
    return n == 1 ? "" : fmt::format(" {} times in a row", n);
  }
  std::string quoted_message() const {
    const std::string message = last_message();
    return message.empty() ? "" : fmt::format(" (its last message: '{}')", message);
  }
  std::string silence(std::size_t deaths) const {
    return fmt::format(
        "the reward program '{}' gave no answer for {} s{}{}; check that it flushes "
        "its output after each line, or raise timeout=",
        name(), options_.timeout, times(deaths), quoted_message());
  }
  std::string death(std::size_t deaths, const std::string& how) const {
    return fmt::format(
        "the reward program '{}' {} without an answer{}{}; mend it, and the same "
        "command goes on",
        name(), how, times(deaths), quoted_message());
  }

  void start() {
    messages_.clear();
    shown_ = 0;
    heard_.clear();
    child_ = std::make_unique<ChildProcess>(options_.command);
  }

  // Ends the program and says how it ended.
  std::string stop() {
    // One that closed its output is about to end, and how it does is worth knowing.
    if (child_->output() < 0) child_->exits_within(kGrace);
    const std::string how = child_->end(kGrace / 5);
    for (int i = 0; i < 16 && child_->errors() >= 0; ++i) pass_on_messages();
    child_.reset();
    return how;
  }

  void pass_on_messages() {
    std::string text;
    child_->read_errors(text);
    if (text.empty()) return;
    messages_ += text;
    if (messages_.size() > kKept) messages_.erase(0, messages_.size() - kKept);
    if (shown_ >= kShown) return;
    shown_ += text.size();
    if (shown_ >= kShown) text += "\n(what else the reward program writes here is not shown)\n";
    if (::write(STDERR_FILENO, text.data(), text.size()) < 0) return;  // it is a courtesy
  }

  // Sends drafts and takes answers until all are answered, or why it went no further.
  std::pair<End, std::string> converse(Ledger& ledger) {
    std::string unwritten;
    const auto patience = std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(options_.timeout));
    auto deadline = Clock::now() + patience;
    for (;;) {
      while (!ledger.all_sent() && ledger.waiting() < options_.batch &&
             unwritten.size() < kWriteAhead) {
        unwritten += ledger.next_line();
      }
      wait(!unwritten.empty(), deadline);
      child_->read_output(heard_);
      const std::size_t before = ledger.answered();
      if (std::string fault = take_lines(ledger); !fault.empty()) {
        return {End::garbage, std::move(fault)};
      }
      if (ledger.complete()) return {End::complete, ""};
      pass_on_messages();
      if (child_->output() < 0) return {End::died, ""};
      unwritten.erase(0, child_->write(unwritten));
      const auto now = Clock::now();
      if (ledger.answered() > before) deadline = now + patience;
      if (now >= deadline) return {End::silent, ""};
    }
  }

  // Until there is something to read or room to write, or the deadline.
  void wait(bool writing, Clock::time_point deadline) const {
    std::array<pollfd, 3> files{{{child_->output(), POLLIN, 0},
                                 {child_->errors(), POLLIN, 0},
                                 {writing ? child_->input() : -1, POLLOUT, 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    ::poll(files.data(), files.size(), static_cast<int>(std::clamp<long long>(left, 0, 60000)));
  }

  std::string take_lines(Ledger& ledger) {
    std::size_t at = 0;
    std::string fault;
    for (std::size_t end = 0; fault.empty() && (end = heard_.find('\n', at)) != std::string::npos;
         at = end + 1) {
      const std::string line = heard_.substr(at, end - at);
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      fault = ledger.take(line, name());
      if (!fault.empty()) fault = fmt::format("'{}', {}", excerpt(line), fault);
    }
    heard_.erase(0, at);
    if (fault.empty() && heard_.size() > kLongestLine) {
      fault = fmt::format("'{}', a line of more than a megabyte", excerpt(heard_));
    }
    return fault;
  }

  ProgramOptions options_;
  std::unique_ptr<ChildProcess> child_;
  std::uint64_t next_id_ = 0;
  std::string heard_;      // of its output, behind the last line taken
  std::string messages_;   // the end of what it wrote on its standard error
  std::size_t shown_ = 0;  // bytes of that passed on
};

}  // namespace

std::unique_ptr<Reward> make_program_reward(ProgramOptions options) {
  if (options.command.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw Error(
        ErrorKind::usage,
        "program= names no command; write program=COMMAND, as in program=python3 reward.py");
  }
  RewardInfo info{"program=" + options.command,
                  sha256("program " + options.command),
                  std::nullopt,
                  {},
                  options.partial};
  auto program = std::make_shared<Program>(std::move(options));
  return make_outside_reward(std::move(info),
                             [program](Gathering::Rows rows) { return program->score(rows); });
}

RewardKind program_kind() {
  return {"program=COMMAND[,timeout=S][,batch=N][,restarts=N][,partial=0]",
          "a program of yours, JSON lines on its standard streams",
          {"program"},
          {"timeout", "batch", "restarts", "partial"},
          [](const Spec& spec, const RewardContext&) {
            const ProgramOptions usual;
            return make_program_reward(
                {spec.get("program"), seconds(spec, "timeout", usual.timeout),
                 count_above_zero(spec, "batch", usual.batch),
                 whole_number(spec, "restarts", usual.restarts), yes_or_no(spec, "partial", true)});
          }};
}

}  // namespace tq
