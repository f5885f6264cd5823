#include "import_head.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/engine/safetensors.hpp"

namespace tq::app {
namespace {

// The names of the labels by number; none where there is no config.json.
std::map<std::size_t, std::string> label_names(const std::filesystem::path& config) {
  std::map<std::size_t, std::string> names;
  std::ifstream file(config);
  if (!file) return names;
  try {
    const auto json = nlohmann::json::parse(file);
    if (!json.contains("id2label")) return names;
    for (const auto& [id, name] : json.at("id2label").items()) {
      names[std::stoul(id)] = name.get<std::string>();
    }
  } catch (const std::exception&) {
    throw Error(ErrorKind::model,
                fmt::format("{} is damaged: its id2label can't be read; give the label's number",
                            config.string()));
  }
  return names;
}

std::size_t label_number(const SafetensorsHead& from, std::size_t count) {
  if (from.label.empty() && count == 1) return 0;
  const auto there = [&](const std::map<std::size_t, std::string>& names) {
    std::vector<std::string> list;
    for (std::size_t i = 0; i < std::min<std::size_t>(count, 20); ++i) {
      const auto it = names.find(i);
      list.push_back(it == names.end() ? std::to_string(i) : fmt::format("{} ({})", i, it->second));
    }
    return fmt::format("{}{}", fmt::join(list, ", "), count > 20 ? ", ..." : "");
  };
  const auto config = from.file.parent_path() / "config.json";
  const char* end = from.label.data() + from.label.size();
  std::size_t number = 0;
  const auto [at, error] = std::from_chars(from.label.data(), end, number);
  if (error == std::errc() && at == end && number < count) return number;
  const auto names = label_names(config);
  if (from.label.empty()) {
    throw Error(ErrorKind::usage, fmt::format("{} has {} labels; choose one with --label: {}",
                                              from.file.string(), count, there(names)));
  }
  for (const auto& [id, name] : names) {
    if (name == from.label && id < count) return id;
  }
  throw Error(ErrorKind::usage,
              fmt::format("{} has no label '{}'; --label is one of {}{}", from.file.string(),
                          from.label, there(names),
                          names.empty() ? fmt::format(" ({} names none)", config.string()) : ""));
}

std::string bias_of(const std::string& tensor) {
  const std::string weight = "weight";
  if (!tensor.ends_with(weight)) return "";
  return tensor.substr(0, tensor.size() - weight.size()) + "bias";
}

}  // namespace

HeadFile import_safetensors(const SafetensorsHead& from, const Model& base) {
  SafetensorsFile file(from.file);
  const std::vector<float> weights = file.values(from.tensor);
  const auto& shape = file.tensors().at(from.tensor).shape;
  const std::size_t hidden = base.hidden_size();
  if (shape.size() != 2 || shape[0] == 0 || shape[1] != hidden) {
    throw Error(
        ErrorKind::model,
        fmt::format("the tensor '{}' of {} is [{}], but a head of {} is [labels, {}]; name "
                    "the model it was fitted on with --model",
                    from.tensor, from.file.string(), fmt::join(shape, ", "), base.name(), hidden));
  }
  const std::size_t label = label_number(from, shape[0]);
  HeadFile head;
  const auto row = weights.begin() + static_cast<std::ptrdiff_t>(label * hidden);
  head.weights.assign(row, row + static_cast<std::ptrdiff_t>(hidden));
  if (const std::string bias = bias_of(from.tensor); file.tensors().count(bias) > 0) {
    const std::vector<float> values = file.values(bias);
    if (values.size() != shape[0]) {
      throw Error(ErrorKind::model, fmt::format("the tensor '{}' of {} has {} values for {} labels",
                                                bias, from.file.string(), values.size(), shape[0]));
    }
    head.bias = double{values[label]};
  }
  const auto finite = [](float w) { return std::isfinite(w); };
  if (!std::isfinite(head.bias) || !std::all_of(head.weights.begin(), head.weights.end(), finite)) {
    throw Error(ErrorKind::model,
                fmt::format("the head in {} has weights that are no finite numbers; download it "
                            "again",
                            from.file.string()));
  }
  head.base_name = base.name();
  head.base_identity = base.identity();
  head.text = "conversation";
  head.pooling = "end";
  head.provenance = fmt::format("imported; row {} of {} in {}", label, from.tensor,
                                from.file.filename().string());
  return head;
}

}  // namespace tq::app
