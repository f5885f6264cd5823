// A policy as the judge. It is asked in its own chat template (or raw), the texts that are compared
// in it as plain text: special tokens written out in them stay text.
//
// Answers too long for its context are cut at their ends, both to the same length: a shorter one
// leaves its room to the other. The prompt and the template are never cut.
#pragma once

#include <memory>
#include <string>

#include "transferq/eval/judge/judge_template.hpp"
#include "transferq/eval/judge/pair_judge.hpp"

namespace tq {

enum class Ask {
  generate,  // greedily, and read what it says
  logits,    // r = ln P(A | asked) - ln P(B | asked): first where r > margin, second where
             // r < -margin, else a tie; A and " A" add up where both are tokens, B likewise
};

struct PolicyJudgeOptions {
  JudgeTemplate ask_with;
  Ask ask = Ask::generate;
  std::size_t max_tokens = 512;  // of a generated answer
  double margin = 0;             // nats
  std::string name{};
};

// Throws Error (usage) for ask=logits with a model that has no token for A or B.
std::shared_ptr<const PairJudge> make_policy_judge(Policy judge, PolicyJudgeOptions options);

// How many tokens are kept of two texts of these lengths that share `room`.
std::pair<std::size_t, std::size_t> fair_cut(std::size_t first, std::size_t second,
                                             std::size_t room);

}  // namespace tq
