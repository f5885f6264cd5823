// The unit every layer speaks: an index into a model's vocabulary.
#pragma once

#include <cstdint>

namespace tq {

using Token = std::int32_t;
inline constexpr Token kNoToken = -1;

}  // namespace tq
