// Average rewards of different scales on one: 0 is plain decoding of the reference, 1 is the best
// run of the experiment.
//
//   (mean - plain) / (best - plain)
//
// Source: the normalised average reward in the figures of Transfer Q* (arXiv:2405.20495), which
// states no formula; this is the one used here. It may be below 0: a run can be worse than plain
// decoding.
#pragma once

namespace tq {

// `best` is the largest mean of all runs, plain decoding among them, so it is never below `plain`.
// NaN where best equals plain: no run is better than plain decoding, there is no scale to speak of,
// and reports show no value. Throws Error (usage) for numbers that are not finite, or a `best`
// below `plain` or `mean`. Pure.
double normalised_reward(double mean, double plain, double best);

}  // namespace tq
