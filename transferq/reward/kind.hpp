// A kind of reward as the command line knows it: its short form, and how one is made from it. Each
// kind's file defines its own; reward_list.cpp has the table of them.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "transferq/core/spec.hpp"
#include "transferq/policy/model_store.hpp"
#include "transferq/reward/reward.hpp"

namespace tq {

struct RewardContext {
  ModelStore& models;
  std::shared_ptr<const Model> policy;  // the decoding policy's, for rewards that name no model
  Format format;                        // of the prompts
  // Makes a reward from a list inside this one.
  std::function<std::unique_ptr<Reward>(std::string_view list)> make;

  // The model that `key` of the list names, or the policy's.
  std::shared_ptr<const Model> model(const Spec& spec, const std::string& key = "model") const;
  // The policy that `key` describes as a list, on the decoding policy's model when it names none.
  Policy named_policy(const Spec& spec, const std::string& key) const;
  // Whether the tokens of drafts are of this model's vocabulary.
  bool reads_tokens(const Model& model) const;
};

struct RewardKind {
  std::string form;             // for help, such as "length=WORDS"
  std::string summary;          // a few words on what it rewards
  std::set<std::string> names;  // a list with one of these keys is of this kind
  std::set<std::string> options;
  std::function<std::unique_ptr<Reward>(const Spec&, const RewardContext&)> make;
};

// The value of a key as a whole number. Throws Error (usage) when it is none.
std::size_t whole_number(const Spec& spec, const std::string& key, std::size_t fallback);

// The value of a key as 1, true, yes or 0, false, no. Throws Error (usage) when it is none.
bool yes_or_no(const Spec& spec, const std::string& key, bool fallback);

// The finite numbers of `weights=1 0.5`, `count` of them: ones when it is absent. Throws Error
// (usage).
std::vector<double> weights(const Spec& spec, std::size_t count);

// All that makes a policy's distribution what it is, for fingerprints.
std::string describe_policy(const Policy& policy);

// The value, or what is in the file when it is @FILE. Throws Error (io) for one that can't be read.
std::string text_or_file(const std::string& value, std::string_view what);

}  // namespace tq
