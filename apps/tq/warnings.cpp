#include "warnings.hpp"

#include <fmt/format.h>

#include "transferq/value/importance.hpp"

namespace tq::app {

void warn(const std::vector<std::string>& warnings, const std::string& who) {
  for (const std::string& line : warnings) {
    fmt::print(stderr, "tq: warning: {}{}\n", who.empty() ? "" : fmt::format("run '{}': ", who),
               line);
  }
}

void SampleWatch::see(const Decoded& decoded, const std::string& who) {
  if (!decoded.effective || !collapsed(*decoded.effective)) return;
  const std::lock_guard lock(mutex_);
  if (!told_.insert(who).second) return;
  if (progress_ != nullptr) progress_->clear();
  warn(
      {fmt::format("of a candidate's {:.0f} roll-outs, only {:.1f} count on average (the effective "
                   "sample size): values follow few of them; raise --beta or --rollouts, or temper "
                   "with --weight-power",
                   decoded.effective->rollouts, decoded.effective->mean)},
      who);
}

}  // namespace tq::app
