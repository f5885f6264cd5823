// The highest resident memory of this process since an object of this was made. One at a time.
#pragma once

#include <optional>

namespace tq {

class PeakMemory {
 public:
  PeakMemory();
  // In MiB; nothing where the system does not tell, or can't forget the peak before.
  std::optional<double> peak_mib() const;

 private:
  bool forgot_ = false;
};

}  // namespace tq
