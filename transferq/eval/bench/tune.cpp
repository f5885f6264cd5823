#include "transferq/eval/bench/tune.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "transferq/core/error.hpp"
#include "transferq/core/logspace.hpp"

namespace tq {
namespace {

constexpr double kWorthwhile = 1.03;
constexpr std::array<std::size_t, 2> kMicroBatches{128, 32};  // beside that of the start

// Log-probabilities of what follows the prompt, evaluated under these settings.
std::vector<double> next_token(const Policy& policy, const Prompt& prompt, SessionOptions options) {
  const std::vector<Token> tokens = policy.encode(prompt);
  options.cells = tokens.size() + 8;
  options.branches = 2;
  options.adapter = policy.adapter();
  const auto session = policy.model().open_session(options);
  const Feed feed{session->open(), tokens, Want::logits};
  return log_softmax(session->forward({&feed, 1}).front().logits);
}

// The largest difference where it matters: tokens that are not all but impossible.
double difference(std::span<const double> a, std::span<const double> b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::max(a[i], b[i]) > -12) most = std::max(most, std::abs(a[i] - b[i]));
  }
  return std::isfinite(most) ? most : std::numeric_limits<double>::infinity();
}

std::vector<int> thread_counts(int most) {
  std::vector<int> out;
  for (int n = 1; n < most; n *= 2) out.push_back(n);
  out.push_back(std::max(1, most));
  std::reverse(out.begin(), out.end());  // as many as there may be are the start
  return out;
}

}  // namespace

TuneRow measure_setting(std::string what, const Policy& policy, const Prompt& prompt,
                        BatchShape shape, std::size_t evaluations, const BenchOptions& options,
                        std::span<const double> expected) {
  TuneRow row{std::move(what), options.session, 0, 0, true};
  row.differs = difference(next_token(policy, prompt, options.session), expected);
  row.right = row.differs <= kRounding;
  const Measured m = measure_engine(policy, {prompt}, shape, evaluations, options);
  // With the prompt: what makes the batches fast must not make it slow.
  const auto tokens = static_cast<double>(m.tokens);
  row.evaluations_a_second = (tokens + static_cast<double>(policy.encode(prompt).size())) /
                             (m.first_token + tokens / m.evaluations_a_second);
  return row;
}

TuneResult tune(const Policy& policy, const Prompt& prompt, BatchShape shape,
                std::size_t evaluations, const BenchOptions& options,
                const std::function<void(const TuneRow&)>& show) {
  TuneResult out;
  double fastest = 0;
  const auto measure_once = [&](std::string what, const SessionOptions& session) {
    BenchOptions how = options;
    how.session = session;
    return measure_setting(std::move(what), policy, prompt, shape, evaluations, how, out.expected);
  };
  // Side by side once more: on a busy machine one measurement is soon 3% off.
  const auto faster_again = [&](const SessionOptions& session) {
    const double before = measure_once("", out.best).evaluations_a_second;
    return measure_once("", session).evaluations_a_second > kWorthwhile * before;
  };
  const auto measured = [&](std::string what, const SessionOptions& session) {
    TuneRow row = measure_once(std::move(what), session);
    const bool better = row.evaluations_a_second > kWorthwhile * fastest;
    if (row.right && better && (fastest == 0 || faster_again(session))) {
      fastest = row.evaluations_a_second;
      out.best = session;
    }
    if (show) show(row);
    out.rows.push_back(std::move(row));
  };
  out.best = options.session;
  out.expected = next_token(policy, prompt, options.session);
  for (const int threads : thread_counts(options.session.threads)) {
    SessionOptions session = options.session;
    session.threads = threads;
    measured(fmt::format("threads {}", threads), session);
  }
  for (const Flash flash : {Flash::off, Flash::on}) {
    SessionOptions session = out.best;
    session.flash = flash;
    measured(fmt::format("flash attention {}", flash == Flash::on ? "on" : "off"), session);
  }
  const std::size_t widest = std::max(policy.encode(prompt).size(), shape.width);
  for (const std::size_t size : kMicroBatches) {
    if (size >= widest) continue;  // it would divide nothing
    SessionOptions session = out.best;
    session.micro_batch = size;
    measured(fmt::format("micro-batch {}", size), session);
  }
  return out;
}

}  // namespace tq
