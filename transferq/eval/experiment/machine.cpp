#include "transferq/eval/experiment/machine.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <string>
#include <thread>

namespace tq {
namespace {

using nlohmann::ordered_json;

// What stands behind `key` and `separator` in the first such line of a file; null without one.
ordered_json value_in(const char* file, const std::string& key, char separator) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const std::size_t at = line.find(separator);
    if (line.rfind(key, 0) != 0 || at == std::string::npos) continue;
    const std::size_t from = line.find_first_not_of(" \t\"", at + 1);
    if (from == std::string::npos) return {};
    return line.substr(from, line.find_last_not_of(" \t\"") - from + 1);
  }
  return {};
}

ordered_json memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long size = sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || size <= 0) return {};
  const double bytes = static_cast<double>(pages) * static_cast<double>(size);
  return std::round(bytes / (1 << 30) * 10) / 10;
}

ordered_json system_name() {
  ordered_json name = value_in("/etc/os-release", "PRETTY_NAME", '=');
  utsname kernel{};
  if (name.is_null() && uname(&kernel) == 0) {
    name = std::string(kernel.sysname) + " " + kernel.release;
  }
  return name;
}

}  // namespace

ordered_json machine_facts() {
  return {{"cpu", value_in("/proc/cpuinfo", "model name", ':')},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_gb", memory()},
          {"system", system_name()}};
}

}  // namespace tq
