// The machine a result was made on, for its header: figures in seconds mean nothing without it.
#pragma once

#include <nlohmann/json.hpp>

namespace tq {

// {"cpu", "cores", "memory_gb", "system"}; what the system does not tell is null.
nlohmann::ordered_json machine_facts();

}  // namespace tq
