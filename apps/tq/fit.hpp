// tq fit in its parts: the flags, the import of a head fitted elsewhere, a fit on data, a value
// learned from logs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "import_head.hpp"
#include "transferq/engine/model.hpp"
#include "transferq/fit/units.hpp"

namespace tq::app {

struct FitFlags {
  std::string from_json;
  SafetensorsHead safetensors;
  std::string data;    // files, separated by commas
  std::string value;   // the same, of logged runs
  std::string reward;  // of a value
  std::string data_format = "auto";
  std::string prompt;  // before texts that have none
  std::string test;
  std::string model = "smollm2";
  std::string out;
  std::string name;
  std::string format = "chat";
  std::string text;  // "": the conversation where there are prompts
  std::string pooling = "auto";
  std::string loss = "auto";
  std::string l2 = "auto";
  std::string cache = "f16";
  double holdout = 0.2;
  std::size_t levels = 0;
  std::size_t limit = 0;
  std::size_t max_tokens = 2048;
  std::size_t folds = 5;
  std::uint64_t seed = 0;
  int threads = 0;
  int gpu_layers = -1;
  bool force = false;
  bool json = false;
};

// The name of the head: the flag's, or the file's.
std::string head_name(const FitFlags& flags);

// The files' names without their folders, for messages.
std::string file_names(const std::string& files);
// The names of --data-format.
const std::vector<std::string>& data_formats();
// The examples of files with commas between them. `prompt` goes before texts that have none; ""
// leaves them by themselves.
Units read_units(const std::string& files, const std::string& format, const std::string& prompt);

// The strength of the penalty, nothing for auto. Throws Error (usage).
std::optional<double> strength(const std::string& l2);
// How the model is read.
SessionOptions session_of(const FitFlags& flags);

void import_head(const FitFlags& flags);
void fit_on_logs(const FitFlags& flags);
void fit_on_data(const FitFlags& flags);

}  // namespace tq::app
