#include "transferq/policy/model_store.hpp"

#include <fmt/format.h>

#include <cmath>

#include "transferq/core/error.hpp"
#include "transferq/core/spec.hpp"
#include "transferq/policy/catalog.hpp"

namespace tq {
namespace {

Spec parse_policy(std::string_view list, std::string_view what) {
  return parse_spec(list, what, {"system", "lora", "lora-scale", "control", "control-scale"});
}

Policy policy_of(const Spec& spec, std::shared_ptr<const Model> model, Format format) {
  for (const char* key : {"lora-scale", "control-scale"}) {
    if (!std::isfinite(spec.number(key, 1.0))) {
      throw Error(ErrorKind::usage, fmt::format("{}={} in '{}' must be a finite number", key,
                                                spec.get(key), spec.text));
    }
  }
  const Adapter adapter{spec.get("lora"), spec.number("lora-scale", 1.0), spec.get("control"),
                        spec.number("control-scale", 1.0)};
  return Policy(std::move(model), format, adapter, spec.get("system"));
}

}  // namespace

std::string named_model(std::string_view list, std::string_view what) {
  return parse_policy(list, what).name;
}

std::shared_ptr<const Model> ModelStore::model(std::string_view name_or_path) {
  const std::filesystem::path path = std::filesystem::weakly_canonical(find_model(name_or_path));
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const Model>& model = models_[path];
  if (model == nullptr) model = llama::load_model(path, options_);
  return model;
}

std::shared_ptr<const Encoder> ModelStore::encoder(std::string_view name_or_path) {
  const std::filesystem::path path = std::filesystem::weakly_canonical(find_model(name_or_path));
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const Encoder>& encoder = encoders_[path];
  if (encoder == nullptr) encoder = llama::load_encoder(path, options_);
  return encoder;
}

Policy ModelStore::policy(std::string_view list, std::string_view what, Format format,
                          std::string_view fallback) {
  const Spec spec = parse_policy(list, what);
  const std::string_view name = spec.name.empty() ? fallback : std::string_view(spec.name);
  if (name.empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("{} '{}' names no model; begin it with a name or a path", what, list));
  }
  return policy_of(spec, model(name), format);
}

Policy ModelStore::policy(std::string_view list, std::string_view what, Format format,
                          std::shared_ptr<const Model> fallback) {
  const Spec spec = parse_policy(list, what);
  return policy_of(spec, spec.name.empty() ? std::move(fallback) : model(spec.name), format);
}

}  // namespace tq
