// What `tq score` says of all scores together.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "transferq/eval/scoring.hpp"

namespace tq::app {

// The scores that are there, by item.
using Scores = std::map<std::size_t, std::vector<double>>;

// Lines of text: mean and spread of all scores; of pairs, how many are told apart rightly; of
// labelled texts, how well the scores follow the labels (those that are 0 or 1). A pair with equal
// scores is not told apart.
std::string score_summary(std::span<const ScoreItem> items, const Scores& scores);

}  // namespace tq::app
