// A language model as the judge: asked whether an answer meets a criterion, the reward is the
// log-odds of its yes against its no,
//   r(x, y) = sum_c w_c ( ln P(yes | question, answer, c) - ln P(no | question, answer, c) ).
// Source: the log-odds of an answer token as a score is the usual reading of a judge without
// sampling, e.g. Kadavath et al. 2022 (arXiv 2207.05221), section 3, P(True).
//
// The judge has its own model, tokenizer and chat template. The answer is plain text to it: special
// tokens written out in it stay text. An answer too long for its context is cut at its end.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "transferq/reward/kind.hpp"

namespace tq {

struct Criterion {
  std::string text;  // a question about the answer, such as "Is the answer polite?"
  double weight = 1;
};

struct JudgeOptions {
  std::vector<Criterion> criteria;
  // What the judge is told; {question}, {answer} and {criterion} are filled in: the answer stands
  // there once, and the criterion behind it.
  std::string prompt;
  std::vector<std::string> yes{"Yes",
                               "yes"};  // answers, one token each; their probabilities add up
  std::vector<std::string> no{"No", "no"};
};

// The default of JudgeOptions::prompt.
std::string default_judge_prompt();

// Throws Error (usage) for a prompt without {answer}, no criterion, or an answer that is not one
// token of the judge's model.
std::unique_ptr<Reward> make_judge(Policy judge, JudgeOptions options);

// judge=QUESTION|QUESTION...[,weights=1 0.5][,model=POLICY][,prompt=TEXT|@FILE][,yes=Yes][,no=No]
RewardKind judge_kind();

}  // namespace tq
