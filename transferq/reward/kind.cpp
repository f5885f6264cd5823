#include "transferq/reward/kind.hpp"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"

namespace tq {

std::shared_ptr<const Model> RewardContext::model(const Spec& spec, const std::string& key) const {
  return spec.has(key) ? models.model(spec.get(key)) : policy;
}

Policy RewardContext::named_policy(const Spec& spec, const std::string& key) const {
  const std::vector<std::string> lists = inner_lists(spec.get(key));
  if (lists.empty() || lists.front().empty()) return Policy(policy, format);
  return models.policy(lists.front(), "--reward " + key, format, policy);
}

bool RewardContext::reads_tokens(const Model& model) const {
  return policy != nullptr && model.vocabulary_identity() == policy->vocabulary_identity();
}

bool yes_or_no(const Spec& spec, const std::string& key, bool fallback) {
  if (!spec.has(key)) return fallback;
  const std::string value = spec.get(key);
  if (value == "1" || value == "true" || value == "yes") return true;
  if (value == "0" || value == "false" || value == "no") return false;
  throw Error(ErrorKind::usage, fmt::format("{}={} must be yes or no", key, value));
}

std::size_t whole_number(const Spec& spec, const std::string& key, std::size_t fallback) {
  const double value = spec.number(key, static_cast<double>(fallback));
  // A double holds every whole number up to 2^53; NaN and infinities are refused here, too.
  if (!(value >= 0 && value <= 0x1p53 && value == std::floor(value))) {
    throw Error(ErrorKind::usage,
                fmt::format("{}={} must be a whole number, 0 or more", key, spec.get(key)));
  }
  return static_cast<std::size_t>(value);
}

std::vector<double> weights(const Spec& spec, std::size_t count) {
  if (!spec.has("weights")) return std::vector<double>(count, 1.0);
  std::istringstream stream(spec.get("weights"));
  std::vector<double> out;
  for (std::string word; stream >> word;) {
    const Spec one{spec.text, "", {{"weights", word}}};
    out.push_back(one.number("weights", 0));
    if (!std::isfinite(out.back())) {
      throw Error(ErrorKind::usage,
                  fmt::format("weights={} must be finite numbers", spec.get("weights")));
    }
  }
  if (out.size() != count) {
    throw Error(ErrorKind::usage, fmt::format("weights={} are {} numbers for {}; give one a piece",
                                              spec.get("weights"), out.size(), count));
  }
  return out;
}

std::string describe_policy(const Policy& policy) {
  const Adapter& a = policy.adapter();
  const auto file = [](const std::string& path) { return path.empty() ? "" : sha256_file(path); };
  return fmt::format("{} {} {} {} {} {} {}", policy.model().identity(),
                     policy.format() == Format::chat ? "chat" : "raw", policy.system(),
                     file(a.lora), a.lora_scale, file(a.control_vector), a.control_scale);
}

std::string text_or_file(const std::string& value, std::string_view what) {
  if (value.empty() || value.front() != '@') return value;
  std::ifstream file(value.substr(1));
  if (!file) {
    throw Error(ErrorKind::io, fmt::format("can't read the {} {}", what, value.substr(1)));
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace tq
