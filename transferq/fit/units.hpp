// What a head is fitted on: a prompt with its response and label, or with a better and a worse
// response. All units of a fit are of one kind.
#pragma once

#include <string>
#include <vector>

#include "transferq/eval/examples.hpp"

namespace tq {

struct Unit {
  std::string source;                  // file and line, for messages
  Prompt prompt;                       // no messages where there is none
  std::vector<std::string> responses;  // one, or the better and the worse
  int label = 1;                       // 0 or 1; of a pair always 1
  std::string group;                   // equal for units that must not be split
};

struct Units {
  bool pairs = false;
  std::vector<Unit> units;
  std::size_t identical = 0;  // left out: both responses are the same text,
  std::size_t empty = 0;      // one has no text
};

// Units of one prompt are a group, and so are equal texts without a prompt. Throws Error (input),
// naming file and line, for a response whose label is missing or neither 0 nor 1.
Units make_units(Examples examples, const std::string& file);

// Adds the units of another file. Throws Error (input) when one holds pairs and the other does not.
void append(Units& units, Units more);

// A seeded sample of `count` units in their old order; all of them where there are no more.
std::vector<Unit> sample(std::vector<Unit> units, std::size_t count, std::uint64_t seed);

// SHA-256 of all texts and labels, in order.
std::string fingerprint(const std::vector<Unit>& units);

}  // namespace tq
