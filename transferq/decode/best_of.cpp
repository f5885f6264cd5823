#include "transferq/decode/best_of.hpp"

#include <algorithm>
#include <cmath>

#include "transferq/core/logspace.hpp"
#include "transferq/decode/response.hpp"
#include "transferq/engine/model.hpp"
#include "transferq/rollout/rollout.hpp"

namespace tq {
namespace {

struct Drawn {
  std::uint32_t index;
  std::vector<Token> tokens;
  double logprob = 0;         // under the proposal; kept only where it is needed
  std::vector<float> hidden;  // after the last token that is text
  Branch branch;
  Output output;
  bool done = false;
};

struct Drawing {
  const DecodeTask& task;
  Stream& stream;
  bool hidden;    // whether the scorer reads the stream's states
  bool logprobs;  // whether the responses' log-probabilities are needed
  std::uint64_t evaluations = 0;

  // Draws a wave of responses side by side.
  void draw(std::span<Drawn> wave) {
    for (Drawn& d : wave) {
      d.branch = stream.branch().fork();
      d.output = stream.state();
      d.hidden = d.output.hidden;
    }
    for (std::size_t step = 0; step < task.max_tokens; ++step) {
      check_stop(task.stop);
      std::vector<Feed> feeds;
      std::vector<Drawn*> fed;
      for (Drawn& d : wave) {
        if (d.done) continue;
        add_token(d, step);
        if (d.done && (!hidden || stream.policy().model().is_end(d.tokens.back()))) continue;
        const Want want = d.done ? Want::nothing : Want::logits;
        feeds.push_back(
            {d.branch.id(), std::span(&d.tokens.back(), 1), hidden ? want | Want::hidden : want});
        fed.push_back(&d);
      }
      if (feeds.empty()) continue;
      std::vector<Output> outputs = stream.session().forward(feeds);
      evaluations += feeds.size();
      for (std::size_t i = 0; i < fed.size(); ++i) {
        fed[i]->output = std::move(outputs[i]);
        if (hidden) fed[i]->hidden = fed[i]->output.hidden;
      }
    }
    for (Drawn& d : wave) {
      d.branch = Branch();
      d.output = Output();
    }
  }

  void add_token(Drawn& d, std::size_t step) const {
    RandomKey key = task.key;
    key.step = static_cast<std::uint32_t>(step);
    key.candidate = d.index;
    const std::size_t token = sample(d.output.logits, uniform(key));
    if (logprobs) d.logprob += d.output.logits[token] - log_sum_exp(d.output.logits);
    d.tokens.push_back(static_cast<Token>(token));
    d.done = d.tokens.size() == task.max_tokens ||
             stream.policy().model().is_end(static_cast<Token>(token));
  }
};

// log pi_ref(y) of a response, evaluated on the reference's own stream.
double reference_logprob(Stream& reference, std::span<const Token> tokens) {
  double sum = 0;
  for (const Token token : tokens) {
    sum += log_softmax(reference.state().logits)[static_cast<std::size_t>(token)];
    reference.append(token);
  }
  return sum;
}

}  // namespace

Decoded BestOfDecoder::decode(const DecodeTask& task, Evaluations& spent) const {
  Stream& stream = proposal_stream(task, proposal_);
  const bool is_reference = &stream == &task.reference;
  stream.state();  // the prompt, before what is left of the memory is counted
  Drawing drawing{task, stream, task.scorer->reads(stream), !is_reference};
  std::vector<Drawn> drawn;
  for (std::size_t i = 0; i < samples_; ++i) {
    drawn.push_back({static_cast<std::uint32_t>(i), {}, 0, {}, {}, {}, false});
  }
  const Capacity capacity = stream.session().capacity();
  const std::size_t fit = std::min(capacity.free_branches,
                                   capacity.free_cells / std::max<std::size_t>(task.max_tokens, 1));
  const std::size_t wave = std::clamp<std::size_t>(fit, 1, samples_);
  for (std::size_t at = 0; at < samples_; at += wave) {
    drawing.draw(std::span(drawn).subspan(at, std::min(wave, samples_ - at)));
  }
  spent.policy += drawing.evaluations;

  const Response empty(task);
  std::vector<Draft> drafts;
  for (Drawn& d : drawn) {
    drafts.push_back(empty.draft(d.tokens));
    if (drawing.hidden) drafts.back().hidden = d.hidden;
  }
  const std::vector<double> rewards = task.scorer->score(drafts);
  const std::size_t best = argmax(rewards);

  const double n = static_cast<double>(samples_);
  double kl = std::log(n) - (n - 1) / n;
  if (!is_reference) {
    kl += drawn[best].logprob - reference_logprob(task.reference, drawn[best].tokens);
  }
  Response response(task);
  for (const Token token : drawn[best].tokens) {
    response.add({{}, 0, token, "", token});
  }
  Decoded out = response.decoded(kl, is_reference ? KlKind::bound : KlKind::estimate);
  out.reward = rewards[best];
  return out;
}

}  // namespace tq
