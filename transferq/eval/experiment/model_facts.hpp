// What played which part in an experiment, for the header of its results: fields that a reader
// tells apart, each with the digest that tells whether two runs had the same. Pure but for reading
// an adapter's files.
#pragma once

#include <nlohmann/json.hpp>

#include "transferq/policy/policy.hpp"
#include "transferq/reward/reward.hpp"

namespace tq {

// {"name", "file", "format", "system", "lora", "control", "digest"}: the name that the catalog has
// for the file, "chat" or "raw"; the system prompt, the LoRA and the control vector ({"file",
// "scale", "digest"}) where there is one. The digest is the model file's alone.
nlohmann::ordered_json policy_facts(const Policy& policy);

// {"name", "digest"}; the digest is of all that its scores depend on, and not there where its name
// says it all, as of a rule.
nlohmann::ordered_json reward_facts(const Reward& reward);

}  // namespace tq
