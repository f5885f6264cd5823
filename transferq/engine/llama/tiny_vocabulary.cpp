#include "transferq/engine/llama/tiny_vocabulary.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

namespace tq::llama {
namespace {

// Token pairs that become one token, in the order the tokenizer tries them.
constexpr std::pair<std::string_view, std::string_view> kMerges[] = {
    {"t", "h"},  {"th", "e"},  {" ", "the"},    {" ", "a"},    {"i", "n"}, {"in", "g"},
    {"a", "n"},  {"an", "d"},  {" ", "and"},    {"e", "r"},    {"r", "e"}, {"o", "u"},
    {"y", "ou"}, {" ", "you"}, {"o", "n"},      {"e", "s"},    {"i", "s"}, {" ", "is"},
    {"o", "o"},  {"g", "oo"},  {"goo", "d"},    {" ", "good"}, {"b", "a"}, {"ba", "d"},
    {"l", "l"},  {"l", "o"},   {"e", "n"},      {"a", "t"},    {" ", "t"}, {" ", "s"},
    {"h", "i"},  {"!", "!"},   {"\xC3", "\xA9"}};

// Byte-level BPE writes a byte as a printable character: itself where it is one, else the next
// free one from U+0100 (Radford et al., 2019, the vocabulary of GPT-2). As UTF-8.
std::string printable(std::string_view bytes) {
  const auto is_printable = [](int b) {
    return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
  };
  std::string out;
  for (const char c : bytes) {
    const int byte = static_cast<unsigned char>(c);
    int code = byte;
    if (!is_printable(byte)) {
      code = 256;
      for (int b = 0; b < byte; ++b) code += is_printable(b) ? 0 : 1;
    }
    if (code >= 0x80) out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(code < 0x80 ? code : 0x80 | (code & 0x3F));
  }
  return out;
}

}  // namespace

std::vector<std::string> tiny_token_bytes() {
  std::vector<std::string> tokens(kTinySpecials);
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  for (const auto& [left, right] : kMerges) {
    tokens.push_back(std::string(left) + std::string(right));
  }
  return tokens;
}

void write_tiny_vocabulary(GgufWriter& file, bool begins) {
  std::vector<std::string> tokens;
  for (const std::string& bytes : tiny_token_bytes()) tokens.push_back(printable(bytes));
  tokens[kTinyEndOfText] = "<|endoftext|>";
  tokens[kTinyStart] = "<|im_start|>";
  tokens[kTinyEnd] = "<|im_end|>";
  std::vector<std::string> merges;
  for (const auto& [left, right] : kMerges) {
    merges.push_back(printable(left) + " " + printable(right));
  }
  constexpr std::int32_t kNormal = 1, kControl = 3;
  std::vector<std::int32_t> types(tokens.size(), kNormal);
  std::fill_n(types.begin(), kTinySpecials, kControl);

  file.set("tokenizer.ggml.model", "gpt2");
  file.set("tokenizer.ggml.pre", "smollm");
  file.set("tokenizer.ggml.tokens", tokens);
  file.set("tokenizer.ggml.token_type", types);
  file.set("tokenizer.ggml.merges", merges);
  file.set("tokenizer.ggml.bos_token_id", kTinyStart);
  file.set("tokenizer.ggml.eos_token_id", kTinyEnd);
  file.set("tokenizer.ggml.unknown_token_id", kTinyEndOfText);
  file.set("tokenizer.ggml.padding_token_id", kTinyEnd);
  file.set("tokenizer.ggml.add_bos_token", begins);
}

}  // namespace tq::llama
