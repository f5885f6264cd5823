// The forms of a row that holds a prompt: ours, and those that data sets are published in. A form
// takes the prompt and leaves the answers.
//
// Sources of the forms: anthropics/hh-rlhf; Dahoas/full-hh-rlhf; openbmb/UltraFeedback and
// HuggingFaceH4/ultrafeedback_binarized; berkeley-nest/Nectar; tatsu-lab/alpaca_eval;
// lm-sys/FastChat (fastchat/llm_judge/data); paul-rottger/exaggerated-safety (XSTest).
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "transferq/policy/prompt.hpp"

namespace tq {

struct PromptForm {
  const char* name;
  bool (*fits)(const nlohmann::json& row);  // whether a file that begins with the row is such a one
  // Throws Error (input) that says what is wrong with the row; the caller names file and line.
  std::vector<Message> (*read)(const nlohmann::json& row);
};

// All forms, the most particular first: the first that fits is the one.
std::span<const PromptForm> prompt_forms();

// The form for rows of a CSV file, whose values are texts.
const PromptForm& csv_prompt_form();

// The form of this name. Throws Error (usage), with the nearest name, when there is none.
const PromptForm& prompt_form(const std::string& name);

// The columns of which a CSV file of prompts has one, the best first.
std::span<const std::string> prompt_columns();

}  // namespace tq
