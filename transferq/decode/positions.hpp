// Which steps of a response roll out where not all do: those of its first tokens, and of the last
// ones that it may have.
#pragma once

#include <cstddef>

namespace tq {

struct Positions {
  std::size_t first = 0, last = 0;  // tokens; both 0: all of them
  // Whether the step behind `made` tokens rolls out, with room for so many more.
  constexpr bool roll_out(std::size_t made, std::size_t room) const {
    return (first == 0 && last == 0) || made < first || room <= last;
  }
};

}  // namespace tq
