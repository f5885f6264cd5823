#include "tuning.hpp"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "transferq/core/sha256.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/eval/experiment/machine.hpp"
#include "transferq/fit/feature_store.hpp"
#include "write_file.hpp"

namespace tq::app {
namespace {

using nlohmann::json;

std::string key_of(const SessionFlags& f, const Model& model) {
  const auto machine = machine_facts();
  return sha256(fmt::format("{} {} {} {} {} {}", machine["cpu"].dump(), machine["cores"].dump(),
                            llama::engine_version(), model.identity(), f.gpu_layers, f.cache))
      .substr(0, 32);
}

// The file's object, empty where there is none that can be read.
json read_all() {
  std::ifstream in(tuning_file(), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  json all = json::parse(text, nullptr, false);
  return all.is_object() ? all : json::object();
}

}  // namespace

std::filesystem::path tuning_file() { return features_folder().parent_path() / "tuning.json"; }

const char* flash_name(Flash flash) {
  return flash == Flash::on ? "on" : flash == Flash::off ? "off" : "auto";
}

void keep_tuning(const SessionFlags& f, const Model& model, const SessionOptions& best) {
  json all = read_all();
  all[key_of(f, model)] = {{"model", model.name()},
                           {"machine", machine_facts()},
                           {"engine", llama::engine_version()},
                           {"flash_attention", flash_name(best.flash)},
                           {"micro_batch", best.micro_batch}};
  std::error_code ignored;
  std::filesystem::create_directories(tuning_file().parent_path(), ignored);
  write_file(tuning_file().string(), all.dump(2) + "\n");
}

void apply_tuning(const SessionFlags& f, const Model& model, SessionOptions& session) {
  const json all = read_all();
  const auto one = all.find(key_of(f, model));
  if (one == all.end() || !one->is_object()) return;
  if (f.flash.empty()) {
    const json flash = one->value("flash_attention", json());
    if (flash == "on") session.flash = Flash::on;
    if (flash == "off") session.flash = Flash::off;
  }
  if (f.micro_batch == 0) {
    const json micro_batch = one->value("micro_batch", json());
    if (micro_batch.is_number_unsigned() && micro_batch > 0) {
      session.micro_batch = std::min(micro_batch.get<std::size_t>(), kMicroBatch);
    }
  }
}

}  // namespace tq::app
