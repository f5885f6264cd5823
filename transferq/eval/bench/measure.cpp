#include "transferq/eval/bench/measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>

#include "transferq/core/error.hpp"
#include "transferq/engine/model.hpp"
#include "transferq/eval/bench/peak_memory.hpp"
#include "transferq/eval/parallel.hpp"

namespace tq {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// What was measured of one prompt.
struct Timed {
  std::size_t tokens = 0;
  std::uint64_t evaluations = 0;
  double seconds = 0;
  double first = 0;
  std::size_t made = 0;  // tokens, measured or not
};

// Watches tokens come, a step's together: those that come without an evaluation in between.
class StepWatch {
 public:
  StepWatch(const Worker& worker, std::size_t wanted)
      : worker_(worker), wanted_(wanted), start_(Clock::now()) {}

  // Whether enough was seen before this token.
  bool see() {
    if (enough_) return true;
    const auto now = Clock::now();
    const std::uint64_t evaluations = worker_.evaluations();
    if (timed_.made > 0 && evaluations != last_evaluations_) close();
    if (timed_.tokens >= wanted_) return enough_ = true;
    if (timed_.made == 0) {
      timed_.first = seconds_between(start_, now);
      first_ = now;
      first_evaluations_ = evaluations;
    }
    last_ = now;
    last_evaluations_ = evaluations;
    ++timed_.made;
    ++open_;
    return false;
  }
  bool enough() const { return enough_; }

  // When the response has ended by itself.
  Timed finish(const Generated& whole) {
    close();
    if (timed_.tokens > 0) return timed_;
    const Evaluations& e = whole.evaluations;
    timed_.tokens = timed_.made;
    timed_.evaluations = e.policy + e.reference + e.reward;
    timed_.seconds = whole.seconds;
    return timed_;
  }
  Timed timed() const { return timed_; }

 private:
  // The step under way is complete: it is measured unless it is the first.
  void close() {
    if (!is_first_) {
      timed_.tokens += open_;
      timed_.seconds = seconds_between(first_, last_);
      timed_.evaluations = last_evaluations_ - first_evaluations_;
    }
    is_first_ = false;
    open_ = 0;
  }

  const Worker& worker_;
  const std::size_t wanted_;
  const Clock::time_point start_;
  Timed timed_;
  Clock::time_point first_, last_;
  std::uint64_t first_evaluations_ = 0, last_evaluations_ = 0;
  std::size_t open_ = 0;  // tokens of the step under way
  bool is_first_ = true, enough_ = false;
};

Timed time_decoding(Worker& worker, const Prompt& prompt, const BenchOptions& options) {
  std::stop_source enough;
  const std::stop_callback pass_on(options.stop, [&] { enough.request_stop(); });
  StepWatch watch(worker, options.tokens);
  try {
    return watch.finish(worker.generate(prompt, enough.get_token(), [&](const Step&) {
      if (watch.see()) enough.request_stop();
    }));
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::interrupted || !watch.enough() || options.stop.stop_requested()) {
      throw;
    }
    return watch.timed();
  }
}

Timed time_engine(Session& session, std::span<const Token> prompt, BatchShape shape,
                  std::size_t evaluations, std::stop_token stop) {
  session.stop_on(std::move(stop));
  Timed out;
  const auto start = Clock::now();
  const Branch trunk = Branch::open(session);
  const Feed whole{trunk.id(), prompt, Want::argmax};
  const Token next = session.forward({&whole, 1}).front().argmax;
  out.first = seconds_between(start, Clock::now());
  const auto first = Clock::now();
  while (out.tokens < evaluations) {
    std::vector<Branch> branches;
    std::vector<Feed> feeds;
    for (std::size_t i = 0; i < shape.width; ++i) {
      branches.push_back(trunk.fork());
      feeds.push_back({branches.back().id(), std::span(&next, 1), Want::argmax});
    }
    for (std::size_t j = 0; j < shape.depth; ++j) session.forward(feeds);
    out.tokens += shape.width * shape.depth;
  }
  out.seconds = seconds_between(first, Clock::now());
  out.evaluations = out.tokens;
  out.made = out.tokens;
  return out;
}

// Runs all prompts and puts together what was measured of each.
Measured measure(std::size_t prompts, const BenchOptions& options,
                 const std::function<std::function<Timed(std::size_t)>()>& make_worker) {
  const std::size_t workers = std::clamp<std::size_t>(options.workers, 1, prompts);
  PeakMemory memory;
  std::mutex mutex;
  Timed sum;
  const auto start = Clock::now();
  run_parallel(prompts, workers, options.stop, [&](std::size_t) {
    return [&, time = make_worker()](std::size_t i) {
      const Timed one = time(i);
      const std::lock_guard lock(mutex);
      sum.tokens += one.tokens;
      sum.evaluations += one.evaluations;
      sum.seconds += one.seconds;
      sum.first += one.first;
      sum.made += one.made;
    };
  });
  if (options.stop.stop_requested()) throw Error(ErrorKind::interrupted, "interrupted");
  const double wall = seconds_between(start, Clock::now());
  if (sum.tokens == 0) {
    throw Error(ErrorKind::input,
                "a response ended before there was a token to measure; take "
                "another model or decoder");
  }
  const auto tokens = static_cast<double>(sum.tokens);
  Measured out;
  out.tokens = sum.tokens;
  out.evaluations = static_cast<double>(sum.evaluations) / tokens;
  out.seconds = sum.seconds / tokens;
  out.evaluations_a_second =
      static_cast<double>(workers) * static_cast<double>(sum.evaluations) / sum.seconds;
  out.tokens_a_second = static_cast<double>(sum.made) / wall;
  out.first_token = sum.first / static_cast<double>(prompts);
  out.peak_mib = memory.peak_mib();
  return out;
}

}  // namespace

Measured measure_decoding(const Setup& setup, const std::vector<Prompt>& prompts,
                          const BenchOptions& options) {
  return measure(prompts.size(), options, [&] {
    return [&, worker = std::make_shared<Worker>(setup, options.session)](std::size_t i) {
      return time_decoding(*worker, prompts[i], options);
    };
  });
}

BatchShape batch_shape(const DecoderOptions& o) {
  const std::string& name = o.name;
  if (name == "greedy" || name == "sample" || name == "genarm" || name == "cards") return {1, 32};
  if (name == "args") return {o.top_k, 1};
  if (name == "tq" || name == "cd" || name == "official") {
    const bool one = o.greedy_rollouts || name == "official";
    return {o.top_k * (one ? 1 : o.rollouts), o.block + o.horizon};
  }
  return {o.samples, 32};  // responses side by side
}

Measured measure_engine(const Policy& policy, const std::vector<Prompt>& prompts, BatchShape shape,
                        std::size_t evaluations, const BenchOptions& options) {
  std::vector<std::vector<Token>> texts;
  std::size_t longest = 0;
  for (const Prompt& prompt : prompts) {
    texts.push_back(policy.encode(prompt));
    longest = std::max(longest, texts.back().size());
  }
  SessionOptions session = options.session;
  session.adapter = policy.adapter();
  session.cells = longest + shape.width * shape.depth + 8;
  session.branches = shape.width + 1;
  return measure(prompts.size(), options, [&] {
    std::shared_ptr<Session> own = policy.model().open_session(session);
    return [&, own](std::size_t i) {
      return time_engine(*own, texts[i], shape, evaluations, options.stop);
    };
  });
}

PassTime measure_passes(const Policy& policy, const SessionOptions& session, std::stop_token stop) {
  constexpr std::size_t kWide = 10, kPasses = 8;
  const std::vector<Prompt> prompts{make_prompt("passes", "Say something.")};
  const auto seconds = [&](std::size_t width) {
    const Measured m = measure_engine(policy, prompts, {width, kPasses}, width * kPasses,
                                      {kPasses, 1, session, stop});
    return static_cast<double>(width) / m.evaluations_a_second;
  };
  seconds(1);  // the first of a kind is slower
  const double alone = seconds(1), wide = seconds(kWide);
  const double branch = std::clamp((wide - alone) / double{kWide - 1}, 0.0, alone);
  return {alone - branch, branch};
}

Prompt bench_prompt(const Policy& policy, std::size_t tokens, std::size_t number) {
  const auto with = [&](std::size_t sentences) {
    std::string text = fmt::format("Story {}.", number + 1);
    for (std::size_t i = 0; i < sentences; ++i) {
      text += " The rain fell on the quiet town and the people stayed at home.";
    }
    return make_prompt(fmt::format("bench {}", number), text);
  };
  const auto length = [&](std::size_t sentences) { return policy.encode(with(sentences)).size(); };
  const std::size_t least = length(0);
  if (least > tokens) {
    throw Error(ErrorKind::usage, fmt::format("a prompt has {} tokens at least, with the model's "
                                              "template; {} are too few",
                                              least, tokens));
  }
  const std::size_t each = std::max<std::size_t>(1, length(1) - least);
  std::size_t sentences = (tokens - least) / each + 1;
  while (length(sentences) > tokens) --sentences;
  return with(sentences);
}

}  // namespace tq
