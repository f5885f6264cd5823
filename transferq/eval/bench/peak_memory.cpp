#include "transferq/eval/bench/peak_memory.hpp"

#include <fstream>
#include <sstream>
#include <string>

namespace tq {

// proc(5): writing 5 to clear_refs sets the peak, VmHWM of status, to what is resident now.
PeakMemory::PeakMemory() {
  std::ofstream out("/proc/self/clear_refs");
  forgot_ = static_cast<bool>(out << "5" << std::flush);
}

std::optional<double> PeakMemory::peak_mib() const {
  std::ifstream in("/proc/self/status");
  for (std::string line; forgot_ && std::getline(in, line);) {
    std::istringstream words(line);
    std::string name;
    double kib = 0;
    if (words >> name >> kib && name == "VmHWM:") return kib / 1024;
  }
  return std::nullopt;
}

}  // namespace tq
