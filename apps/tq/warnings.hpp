// What a person should know though nothing went wrong: one line each on standard error.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "terminal.hpp"
#include "transferq/eval/generator.hpp"

namespace tq::app {

// `who` names the run that is warned of, where there are several; may be empty.
void warn(const std::vector<std::string>& warnings, const std::string& who = "");

// Watches answers for an effective sample size that collapsed (value/importance.hpp), and says so
// once a run. Thread-safe.
class SampleWatch {
 public:
  // `progress`, which may be null, is wiped before.
  explicit SampleWatch(Progress* progress = nullptr) : progress_(progress) {}
  void see(const Decoded& decoded, const std::string& who = "");

 private:
  Progress* progress_;
  std::mutex mutex_;
  std::set<std::string> told_;
};

}  // namespace tq::app
