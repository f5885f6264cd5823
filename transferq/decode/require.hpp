// What an option must satisfy, said in the words of the command's flags.
#pragma once

#include <string>

#include "transferq/core/error.hpp"

namespace tq {

// Throws Error (usage) with the message unless it holds.
inline void require(bool holds, const std::string& message) {
  if (!holds) throw Error(ErrorKind::usage, message);
}

}  // namespace tq
