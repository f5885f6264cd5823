#include "tuning.hpp"

#include <fstream>
#include <iterator>

#include "transferq/core/sha256.hpp"
#include "transferq/engine/llama/model.hpp"
#include "transferq/eval/experiment/machine.hpp"
#include "transferq/fit/feature_store.hpp"
#include "write_file.hpp"

namespace tq::app {
namespace {

using nlohmann::json;

std::string key_of(const Model& model) {
  const auto machine = machine_facts();
  return sha256(fmt::format("{} {} {} {}", machine["cpu"].dump(), machine["cores"].dump(),
                            llama::engine_version(), model.identity()))
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

std::optional<Tuning> read_tuning(const Model& model) {
  const json all = read_all();
  const auto one = all.find(key_of(model));
  if (one == all.end() || !one->is_object()) return std::nullopt;
  const auto flash = one->find("flash_attention");
  const auto size = one->find("micro_batch");
  if (flash == one->end() || !flash->is_boolean() || size == one->end() ||
      !size->is_number_unsigned()) {
    return std::nullopt;
  }
  return Tuning{flash->get<bool>() ? Flash::on : Flash::off, size->get<std::size_t>()};
}

void keep_tuning(const Model& model, const Tuning& tuning) {
  json all = read_all();
  all[key_of(model)] = {{"model", model.name()},
                        {"machine", machine_facts()},
                        {"engine", llama::engine_version()},
                        {"flash_attention", tuning.flash == Flash::on},
                        {"micro_batch", tuning.micro_batch}};
  std::error_code ignored;
  std::filesystem::create_directories(tuning_file().parent_path(), ignored);
  write_file(tuning_file().string(), all.dump(2) + "\n");
}

void apply_tuning(const SessionFlags& f, const Model& model, SessionOptions& session) {
  if (!f.flash.empty() && f.micro_batch) return;
  const std::optional<Tuning> tuned = read_tuning(model);
  if (!tuned) return;
  if (f.flash.empty()) session.flash = tuned->flash;
  if (!f.micro_batch) session.micro_batch = tuned->micro_batch;
}

}  // namespace tq::app
