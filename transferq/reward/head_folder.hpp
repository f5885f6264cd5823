// Where the reward heads that the project ships lie, so that head=sentiment means one of them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tq {

// The path of a regular file as it is, or the shipped head of that name. Shipped heads are sought
// in $TQ_HEADS_DIR, in share/transferq/heads beside the program's folder, and in assets/heads of
// the folders above it. Throws Error (model) when there is none (the nearest name is offered).
std::filesystem::path find_head(const std::string& name_or_path);

// The names of the shipped heads.
std::vector<std::string> shipped_heads();

}  // namespace tq
