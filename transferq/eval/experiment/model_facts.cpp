#include "transferq/eval/experiment/model_facts.hpp"

#include <filesystem>

#include "transferq/core/sha256.hpp"
#include "transferq/policy/catalog.hpp"

namespace tq {
namespace {

using nlohmann::ordered_json;

ordered_json adapter_facts(const std::string& path, double scale) {
  return {{"file", std::filesystem::path(path).filename().string()},
          {"scale", scale},
          {"digest", sha256_file(path)}};
}

}  // namespace

ordered_json policy_facts(const Policy& policy) {
  const std::string file = policy.model().name();
  const Adapter& adapter = policy.adapter();
  ordered_json out = {{"name", catalog_name(file)},
                      {"file", file},
                      {"format", policy.format() == Format::chat ? "chat" : "raw"}};
  if (!policy.system().empty()) out["system"] = policy.system();
  if (!adapter.lora.empty()) out["lora"] = adapter_facts(adapter.lora, adapter.lora_scale);
  if (!adapter.control_vector.empty()) {
    out["control"] = adapter_facts(adapter.control_vector, adapter.control_scale);
  }
  out["digest"] = policy.model().identity();
  return out;
}

ordered_json reward_facts(const Reward& reward) {
  const RewardInfo& info = reward.info();
  ordered_json out = {{"name", info.name}};
  if (info.fingerprint != info.name) out["digest"] = info.fingerprint;
  return out;
}

}  // namespace tq
