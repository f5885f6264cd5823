// What a judge's answer says. A pure function.
#pragma once

#include <string_view>

#include "transferq/eval/judge/win_rate.hpp"

namespace tq {

// [[A]] is first, [[B]] second, [[C]] or [[tie]] a tie, in either case and with spaces inside; the
// last of them counts. Without any, an answer that is nothing but A, B, C or tie, whatever
// punctuation surrounds it (a letter in upper case), says the same; not so one that was cut short
// (`complete` is false), which may have been going on with anything.
//
// All else is none: no guess is made from words such as "the first is better", and an answer that
// lists all of [[A]], [[B]] and [[C]] repeats what the judge was told, and says nothing.
Preference verdict_in(std::string_view answer, bool complete = true);

}  // namespace tq
