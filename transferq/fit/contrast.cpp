#include "transferq/fit/contrast.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"

namespace tq {
namespace {

std::vector<Token> encode(Prompt prompt, const std::string& system, const Policy& policy) {
  if (!system.empty()) {
    std::vector<Message>& messages = prompt.messages;
    if (!messages.empty() && messages.front().role == "system") {
      messages.front().content = system + "\n\n" + messages.front().content;
    } else {
      messages.insert(messages.begin(), {"system", system});
    }
  }
  return policy.encode(prompt);
}

// The length of what both end with.
std::size_t common_end(const std::vector<Token>& a, const std::vector<Token>& b) {
  const auto [end, ignored] = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  return static_cast<std::size_t>(end - a.rbegin());
}

ContrastText text_of(std::vector<Token> before, const std::string& response, const Policy& policy) {
  const std::vector<Token> tokens = policy.model().tokenize(response, false);
  const std::size_t first = before.size();
  before.insert(before.end(), tokens.begin(), tokens.end());
  return {std::move(before), first};
}

// Whether the text was longer.
bool cut(ContrastText& text, std::size_t longest) {
  if (text.tokens.size() <= longest) return false;
  text.tokens.resize(longest);
  return true;
}

}  // namespace

std::vector<Contrast> contrast_systems(std::span<const Prompt> prompts, const std::string& positive,
                                       const std::string& negative, const Policy& policy) {
  if (positive == negative) {
    throw Error(ErrorKind::usage,
                "the positive and the negative system prompt are the same; make them differ");
  }
  std::vector<Contrast> out;
  for (const Prompt& prompt : prompts) {
    Contrast c{fmt::format("prompt '{}'", prompt.id),
               {encode(prompt, positive, policy), 0},
               {encode(prompt, negative, policy), 0}};
    const std::size_t end = common_end(c.positive.tokens, c.negative.tokens);
    if (end == 0 || c.positive.tokens == c.negative.tokens) {
      throw Error(ErrorKind::input,
                  fmt::format("{}: the system prompts {}; use --format chat with a model whose "
                              "template has a system turn",
                              c.source, end == 0 ? "leave nothing to read" : "make no difference"));
    }
    c.positive.first = c.positive.tokens.size() - end;
    c.negative.first = c.negative.tokens.size() - end;
    out.push_back(std::move(c));
  }
  return out;
}

ResponseContrasts contrast_responses(std::span<const Unit> units, const Policy& policy,
                                     std::size_t longest) {
  ResponseContrasts out;
  for (const Unit& unit : units) {
    if (unit.responses.size() != 2) {
      throw Error(ErrorKind::input,
                  fmt::format("{}: a control vector needs pairs of a positive and a negative text",
                              unit.source));
    }
    const std::vector<Token> before = unit.prompt.messages.empty()
                                          ? policy.model().tokenize("", true)
                                          : policy.encode(unit.prompt);
    if (before.size() >= longest) {
      ++out.left_out;
      continue;
    }
    Contrast contrast{unit.source, text_of(before, unit.responses[0], policy),
                      text_of(before, unit.responses[1], policy)};
    out.cut += cut(contrast.positive, longest) ? 1 : 0;
    out.cut += cut(contrast.negative, longest) ? 1 : 0;
    if (contrast.positive.tokens == contrast.negative.tokens) {
      ++out.identical;
    } else {
      out.contrasts.push_back(std::move(contrast));
    }
  }
  return out;
}

std::string fingerprint(std::span<const Contrast> contrasts) {
  Sha256 digest;
  for (const Contrast& contrast : contrasts) {
    for (const ContrastText* text : {&contrast.positive, &contrast.negative}) {
      std::string bytes = fmt::format("{}/{}:", text->first, text->tokens.size());
      for (const Token token : text->tokens) bytes += fmt::format(" {}", token);
      digest.update(bytes);
    }
  }
  return digest.hex();
}

}  // namespace tq
