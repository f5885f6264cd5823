// A learned value in a small GGUF file of our own: what roll-outs from a state are worth, as linear
// maps on a model's last hidden state there. It belongs to one model file, as a reward head does.
//
// Keys: general.architecture = "transferq-value"; transferq.value.{version, name, base.name,
// base.identity, reward, reward.identity, policy, provenance, data, program, bias, l2, seed,
// fitted, held_out, correlation, gain, gain.one_step, gain.best}; tensors value.weight, F32
// [hidden size], and, where the reward's distribution was fitted, value.levels [levels],
// value.levels.bias [levels] and value.levels.weight [levels x hidden size].
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tq {

// How `tq fit --value` made it, and how it did on steps of prompts held out.
struct ValueTraining {
  std::string policy;        // whose states it was fitted on (describe_policy)
  std::string data;          // SHA-256 of the logged values
  std::string program;       // the version that fitted it
  double l2 = 0;             // of the mean
  std::uint64_t seed = 0;    // of the split
  std::uint64_t fitted = 0;  // steps
  std::uint64_t held_out = 0;
  double correlation = 0;  // Spearman's, within a step, with the roll-outs' values; mean over steps
  // What the roll-outs say of its pick, over what they say of the likeliest candidate; the same of
  // the one-step reward's pick and of the best one's. Means over steps, in units of the reward.
  double gain = 0, gain_one_step = 0, gain_best = 0;
};

struct ValueFile {
  std::string name;             // of the value
  std::string base_name;        // the model file it was fitted on, for messages
  std::string base_identity;    // Model::identity() of it
  std::string reward;           // what the roll-outs were scored by, for messages
  std::string reward_identity;  // RewardInfo::fingerprint of it
  std::string provenance;       // how it was made
  std::vector<float> weights;   // of the mean
  double bias = 0;
  // Of the distribution: the rewards that it may take, rising, and for each the logit's bias and
  // weights, [levels x hidden size]. Empty where it was not fitted.
  std::vector<float> levels, level_biases, level_weights;
  ValueTraining training;
};

// Throws Error (model) when the file is no learned value that this version reads.
ValueFile read_value(const std::filesystem::path& path);

// Throws Error (io) when the file can't be written.
void write_value(const std::filesystem::path& path, const ValueFile& value);

}  // namespace tq
