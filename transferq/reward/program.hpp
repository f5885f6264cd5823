// A reward that is a program of the user's: JSON lines on its standard streams.
//   it reads   {"id": 7, "prompt": "...", "messages": [{"role", "content"}...],
//               "response": "...", "finished": true}          one line a draft
//   it writes  {"id": 7, "reward": 0.5}                        one line a draft, in any order
//   or         {"id": 7, "error": "why there is none"}
//
// It is started at the first score, as `/bin/sh -c COMMAND`, and serves all prompts. It gets up to
// `batch` drafts before it must answer one. One that dies is started again and gets what it has not
// answered, at most `restarts` times without an answer in between; one that gives no answer for
// `timeout` seconds is ended, and counts as dead. What it writes on its standard error goes on to
// ours, up to a limit, and the last line of it is quoted when it dies.
#pragma once

#include <memory>
#include <string>

#include "transferq/reward/kind.hpp"

namespace tq {

struct ProgramOptions {
  std::string command;
  double timeout = 30;  // seconds
  std::size_t batch = 256;
  std::size_t restarts = 2;
  bool partial = true;  // whether it can score unfinished responses
};

// Throws Error (usage) for an empty command.
std::unique_ptr<Reward> make_program_reward(ProgramOptions options);

// program=COMMAND[,timeout=SECONDS][,batch=N][,restarts=N][,partial=0].
RewardKind program_kind();

}  // namespace tq
