#include "transferq/fit/value_states.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "transferq/core/error.hpp"
#include "transferq/decode/response.hpp"
#include "transferq/eval/parallel.hpp"

namespace tq {
namespace {

std::size_t widest(const LoggedRun& run) {
  std::size_t most = 1;
  for (const LoggedStep& step : run.steps) most = std::max(most, step.candidates.size());
  return most;
}

void check_tokens(const LoggedRun& run, const Model& model) {
  const auto known = [&](Token token) {
    return token >= 0 && static_cast<std::size_t>(token) < model.vocabulary();
  };
  bool all = std::all_of(run.tokens.begin(), run.tokens.end(), known);
  for (const LoggedStep& step : run.steps) {
    all = all && std::all_of(step.candidates.begin(), step.candidates.end(), known);
  }
  if (all) return;
  throw Error(ErrorKind::input, fmt::format("it has tokens that {} does not; name the model that "
                                            "made it with --model",
                                            model.name()));
}

// Reads one run, token by token.
class RunReader {
 public:
  RunReader(const LoggedRun& run, const Policy& policy, const Reward& reward, SessionPool& pool)
      : run_(run), model_(policy.model()), partial_(reward.info().partial) {
    std::vector<Token> prompt = policy.encode(run.prompt);
    const Workload work{run.tokens.size() + 1, widest(run), 1};
    pool.plan(policy, prompt.size(), work);
    scorer_ = reward.open(run.prompt, pool, work);
    stream_.emplace(policy, pool, std::move(prompt));
    if (scorer_->reads(*stream_)) stream_->keep_trail();
  }

  // Gives the rows of the run and returns what it evaluated.
  std::uint64_t read(ValueRows& out) {
    const DecodeTask task{*stream_, *stream_, scorer_.get(), run_.tokens.size() + 1, {}, {}, {}};
    Response response(task);
    auto step = run_.steps.begin();
    for (std::size_t at = 0; step != run_.steps.end(); ++at) {
      if (step->at == at) read_step(*step++, response, out);
      if (step == run_.steps.end()) break;
      stream_->append(run_.tokens[at]);
      response.add({{}, 0, run_.tokens[at], "", run_.tokens[at]});
    }
    return evaluations_ + stream_->prompt_evaluations() + stream_->evaluations() +
           scorer_->evaluations() + scorer_->prompt_evaluations();
  }

 private:
  void read_step(const LoggedStep& step, const Response& response, ValueRows& out) {
    std::vector<std::size_t> going;  // the candidates that go on
    for (std::size_t i = 0; i < step.candidates.size(); ++i) {
      if (!model_.is_end(step.candidates[i])) going.push_back(i);
    }
    if (going.size() < 2) return;
    std::vector<Branch> branches;
    std::vector<Feed> feeds;
    std::vector<Draft> drafts;
    stream_->state();
    for (const std::size_t i : going) {
      const std::span<const Token> token(&step.candidates[i], 1);
      branches.push_back(stream_->branch().fork());
      feeds.push_back({branches.back().id(), token, Want::hidden});
      drafts.push_back(response.draft(token));
    }
    std::vector<Output> outputs = stream_->session().forward(feeds);
    evaluations_ += feeds.size();
    const bool reads = scorer_->reads(*stream_);
    for (std::size_t i = 0; i < going.size(); ++i) {
      const std::vector<float>& state = outputs[i].hidden;
      out.states.values.insert(out.states.values.end(), state.begin(), state.end());
      out.values.push_back(step.values[going[i]]);
      out.logprobs.push_back(step.logprobs[going[i]]);
      if (!reads) continue;
      drafts[i].trail = stream_->trail();
      drafts[i].trail.append(std::move(outputs[i].hidden));
    }
    if (partial_) {
      for (const double r : scorer_->score(drafts)) out.one_step.push_back(r);
    }
    out.first.push_back(out.rows());
    out.groups.push_back(run_.prompt.messages.back().content);
  }

  const LoggedRun& run_;
  const Model& model_;
  bool partial_;
  std::unique_ptr<Scorer> scorer_;
  std::optional<Stream> stream_;
  std::uint64_t evaluations_ = 0;
};

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

// Those of all runs, in order.
ValueRows joined(std::vector<ValueRows>& parts, std::size_t columns) {
  ValueRows out;
  out.states.columns = columns;
  out.first.push_back(0);
  for (ValueRows& part : parts) {
    for (const std::size_t end : part.first) out.first.push_back(out.rows() + end);
    append(out.states.values, part.states.values);
    append(out.values, part.values);
    append(out.logprobs, part.logprobs);
    append(out.one_step, part.one_step);
    append(out.groups, part.groups);
    out.evaluations += part.evaluations;
    part = {};
  }
  return out;
}

}  // namespace

ValueRows read_value_states(const std::vector<LoggedRun>& runs, const Policy& policy,
                            const Reward& reward, const SessionOptions& session,
                            std::stop_token stop, const std::function<void()>& done) {
  if (policy.model().hidden_size() == 0) {
    throw Error(ErrorKind::model,
                fmt::format("{} has no hidden states to learn a value from; use another --model",
                            policy.model().name()));
  }
  const auto threads = static_cast<std::size_t>(std::max(1, session.threads));
  const std::size_t workers = std::max<std::size_t>(1, std::min(threads, runs.size()));
  SessionOptions options = session;
  options.threads = static_cast<int>(std::max<std::size_t>(1, threads / workers));
  options.branches = 8;
  for (const LoggedRun& run : runs) {
    options.branches = std::max(options.branches, 2 * widest(run) + 8);
  }
  std::vector<ValueRows> parts(runs.size());
  run_parallel(runs.size(), workers, stop, [&](std::size_t) {
    auto pool = std::make_shared<SessionPool>(options);
    return [&, pool](std::size_t i) {
      try {
        check_tokens(runs[i], policy.model());
        pool->begin_prompt(stop);
        RunReader reader(runs[i], policy, reward, *pool);
        parts[i].evaluations = reader.read(parts[i]);
      } catch (const Error& e) {
        if (e.kind() == ErrorKind::interrupted) return;
        throw Error(e.kind(), fmt::format("{}: {}", runs[i].source, e.what()));
      }
      if (done) done();
    };
  });
  if (stop.stop_requested()) throw Error(ErrorKind::interrupted, "interrupted");
  return joined(parts, policy.model().hidden_size());
}

}  // namespace tq
