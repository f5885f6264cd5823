#include "transferq/engine/safetensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "transferq/core/error.hpp"

namespace tq {
namespace {

// The format's own limit, so that a damaged length does not ask for the whole memory.
constexpr std::uint64_t kLongestHeader = 100'000'000;

std::uint64_t little_endian(const unsigned char* bytes, int count) {
  std::uint64_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

// 0 for a type whose elements have no known size.
std::uint64_t bytes_of(const std::string& type) {
  static const std::map<std::string, std::uint64_t> sizes{
      {"F64", 8}, {"F32", 4}, {"F16", 2},  {"BF16", 2},    {"I64", 8},
      {"I32", 4}, {"I16", 2}, {"I8", 1},   {"U64", 8},     {"U32", 4},
      {"U16", 2}, {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  const auto it = sizes.find(type);
  return it == sizes.end() ? 0 : it->second;
}

float half_to_float(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f;
  const auto mantissa = static_cast<float>(bits & 0x3ff);
  float value = 0;
  if (exponent == 0) {
    value = std::ldexp(mantissa, -24);
  } else if (exponent == 31) {
    value = mantissa == 0 ? INFINITY : NAN;
  } else {
    value = std::ldexp(mantissa + 1024, exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

// Numbers of a JSON list, none negative or broken.
std::vector<std::uint64_t> numbers(const nlohmann::json& list) {
  std::vector<std::uint64_t> out;
  for (const auto& item : list.get_ref<const nlohmann::json::array_t&>()) {
    if (!item.is_number_unsigned()) throw Error(ErrorKind::model, "has a size that is no number");
    out.push_back(item.get<std::uint64_t>());
  }
  return out;
}

SafetensorsFile::Tensor tensor_of(const nlohmann::json& entry, std::uint64_t size) {
  SafetensorsFile::Tensor tensor;
  tensor.type = entry.at("dtype").get<std::string>();
  std::uint64_t elements = 1;
  for (const std::uint64_t n : numbers(entry.at("shape"))) {
    if (n != 0 && elements > size / n) throw Error(ErrorKind::model, "is larger than the file");
    elements *= n;
    tensor.shape.push_back(n);
  }
  const auto offsets = numbers(entry.at("data_offsets"));
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > size) {
    throw Error(ErrorKind::model, "lies outside the file");
  }
  tensor.begin = offsets[0];
  tensor.end = offsets[1];
  const std::uint64_t each = bytes_of(tensor.type);
  if (each != 0 && tensor.end - tensor.begin != elements * each) {
    throw Error(ErrorKind::model, "has another size than its shape");
  }
  return tensor;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : path_(path), file_(path, std::ios::binary) {
  if (!file_ || !std::filesystem::is_regular_file(path)) {
    throw Error(ErrorKind::io, fmt::format("can't read {}; check the path", path.string()));
  }
  try {
    read_header(std::filesystem::file_size(path));
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorKind::model,
                fmt::format("{} is damaged or no safetensors file: its header can't be read; "
                            "download it again",
                            path.string()));
  }
}

void SafetensorsFile::read_header(std::uint64_t size) {
  const auto damaged = [&](const std::string& why) {
    return Error(ErrorKind::model, fmt::format("{} is damaged or no safetensors file: {}; download "
                                               "it again",
                                               path_.string(), why));
  };
  unsigned char prefix[8];
  if (size < sizeof prefix || !file_.read(reinterpret_cast<char*>(prefix), sizeof prefix)) {
    throw damaged("it is too short");
  }
  const std::uint64_t length = little_endian(prefix, 8);
  if (length > size - sizeof prefix || length > kLongestHeader) {
    throw damaged("its header is longer than the file");
  }
  std::string header(length, '\0');
  if (!file_.read(header.data(), static_cast<std::streamsize>(length))) {
    throw damaged("its header is cut short");
  }
  data_ = sizeof prefix + length;
  const auto json = nlohmann::json::parse(header);
  if (!json.is_object()) throw damaged("its header is no object");
  for (const auto& [name, entry] : json.items()) {
    if (name == "__metadata__") continue;
    try {
      tensors_[name] = tensor_of(entry, size - data_);
    } catch (const Error& e) {
      throw damaged(fmt::format("the tensor '{}' {}", name, e.what()));
    }
  }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
  for (const auto& [name, tensor] : tensors_) places.emplace_back(tensor.begin, tensor.end);
  std::sort(places.begin(), places.end());
  std::uint64_t at = 0;
  for (const auto& [begin, end] : places) {
    if (begin != at) throw damaged("its tensors overlap or leave a gap");
    at = end;
  }
  if (at != size - data_) throw damaged("its length is not that of its tensors");
}

std::vector<float> SafetensorsFile::values(const std::string& name) {
  const auto it = tensors_.find(name);
  if (it == tensors_.end()) {
    std::vector<std::string> names;
    for (const auto& [known, tensor] : tensors_) names.push_back(known);
    const bool many = names.size() > 5;
    if (many) names.resize(5);
    throw Error(ErrorKind::model, fmt::format("{} has no tensor '{}'; it has {}{}", path_.string(),
                                              name, fmt::join(names, ", "), many ? ", ..." : ""));
  }
  const Tensor& tensor = it->second;
  if (tensor.type != "F32" && tensor.type != "F16" && tensor.type != "BF16") {
    throw Error(ErrorKind::model, fmt::format("the tensor '{}' of {} is {}; F32, F16 and BF16 are "
                                              "read",
                                              name, path_.string(), tensor.type));
  }
  std::vector<unsigned char> bytes(tensor.end - tensor.begin);
  file_.clear();
  file_.seekg(static_cast<std::streamoff>(data_ + tensor.begin));
  if (!file_.read(reinterpret_cast<char*>(bytes.data()),
                  static_cast<std::streamsize>(bytes.size()))) {
    throw Error(ErrorKind::io, fmt::format("can't read {} to its end", path_.string()));
  }
  const auto each = static_cast<std::size_t>(bytes_of(tensor.type));
  std::vector<float> out;
  out.reserve(bytes.size() / each);
  for (std::size_t i = 0; i < bytes.size(); i += each) {
    const auto bits =
        static_cast<std::uint32_t>(little_endian(bytes.data() + i, static_cast<int>(each)));
    if (tensor.type == "F16") {
      out.push_back(half_to_float(static_cast<std::uint16_t>(bits)));
    } else {
      out.push_back(std::bit_cast<float>(tensor.type == "BF16" ? bits << 16 : bits));
    }
  }
  return out;
}

}  // namespace tq
