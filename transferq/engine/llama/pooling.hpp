// Kinds of pooling as GGUF files number them (ARCHITECTURE.pooling_type). Private to this folder.
#pragma once

#include <llama.h>

#include <optional>

#include "transferq/engine/encoder.hpp"

namespace tq::llama {

inline int pooling_number(Pooling pooling) {
  switch (pooling) {
    case Pooling::mean:
      return LLAMA_POOLING_TYPE_MEAN;
    case Pooling::first:
      return LLAMA_POOLING_TYPE_CLS;
    case Pooling::last:
      return LLAMA_POOLING_TYPE_LAST;
    case Pooling::rank:
      return LLAMA_POOLING_TYPE_RANK;
  }
  return LLAMA_POOLING_TYPE_NONE;
}

// Nothing for no pooling, or one that is not known.
inline std::optional<Pooling> pooling_of(int number) {
  for (const Pooling pooling : {Pooling::mean, Pooling::first, Pooling::last, Pooling::rank}) {
    if (pooling_number(pooling) == number) return pooling;
  }
  return std::nullopt;
}

}  // namespace tq::llama
