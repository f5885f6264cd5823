// Rewards made of others. Each is a pure function of the inner rewards of a response:
//   sum        sum_i w_i r_i (weights of 1 unless given)
//   product    prod_i r_i
//   clip       r, but not below `low` and not above `high`
//   sign       -1, 0 or 1
//   scale      by * r + plus
//   normalise  (r - mean) / spread, both from the inner reward's calibration
// Unfinished responses can be scored where all inner rewards can. Bounds, and the calibration where
// it is known exactly, follow from the inner ones: a sum's spread does not, for the inner rewards
// may go together or against each other.
//
// Hidden states that a draft brings are handed to those inner scorers alone that read them; the
// others evaluate, so a combination scores as its parts do on their own.
#pragma once

#include <limits>
#include <memory>
#include <vector>

#include "transferq/reward/kind.hpp"

namespace tq {

using InnerRewards = std::vector<std::unique_ptr<Reward>>;

// Throws Error (usage) unless there is a weight for each reward, and one of either at least.
std::unique_ptr<Reward> make_sum(InnerRewards inner, std::vector<double> weights);
std::unique_ptr<Reward> make_product(InnerRewards inner);
// Throws Error (usage) unless low <= high and one of them is finite.
std::unique_ptr<Reward> make_clip(std::unique_ptr<Reward> inner,
                                  double low = -std::numeric_limits<double>::infinity(),
                                  double high = std::numeric_limits<double>::infinity());
std::unique_ptr<Reward> make_sign(std::unique_ptr<Reward> inner);
std::unique_ptr<Reward> make_scale(std::unique_ptr<Reward> inner, double by, double plus);
// Throws Error (usage) when the inner reward has no calibration, or one of no spread.
std::unique_ptr<Reward> make_normalised(std::unique_ptr<Reward> inner);

RewardKind sum_kind();
RewardKind product_kind();
RewardKind clip_kind();
RewardKind sign_kind();
RewardKind scale_kind();
RewardKind normalise_kind();

}  // namespace tq
