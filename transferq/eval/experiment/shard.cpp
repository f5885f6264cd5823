#include "transferq/eval/experiment/shard.hpp"

#include <fmt/format.h>

#include <charconv>

#include "transferq/core/error.hpp"

namespace tq {

Shard parse_shard(const std::string& text) {
  constexpr std::size_t kMost = 100000;
  Shard shard{0, 0};
  const char* const end = text.data() + text.size();
  const auto [slash, first] = std::from_chars(text.data(), end, shard.index);
  if (first == std::errc() && slash != end && *slash == '/') {
    const auto [rest, second] = std::from_chars(slash + 1, end, shard.count);
    const bool whole = second == std::errc() && rest == end;
    if (whole && shard.index >= 1 && shard.index <= shard.count && shard.count <= kMost) {
      return shard;
    }
  }
  throw Error(
      ErrorKind::usage,
      fmt::format("--shard '{}' is not a part such as 3/16: the third of sixteen, from 1/16 "
                  "to 16/16",
                  text));
}

std::string shard_text(const Shard& shard) {
  return fmt::format("{}/{}", shard.index, shard.count);
}

std::vector<Prompt> prompts_of(const std::vector<Prompt>& prompts, const Shard& shard) {
  std::vector<Prompt> part;
  for (std::size_t i = shard.index - 1; i < prompts.size(); i += shard.count) {
    part.push_back(prompts[i]);
  }
  if (part.empty()) {
    throw Error(
        ErrorKind::usage,
        fmt::format("shard {} has no prompts: there are only {}; use at most as many shards",
                    shard_text(shard), prompts.size()));
  }
  return part;
}

}  // namespace tq
