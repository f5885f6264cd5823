#include "transferq/engine/llama/encoder_text.hpp"

#include <llama.h>

#include <algorithm>

#include "transferq/engine/llama/load.hpp"

namespace tq::llama {
namespace {

using Tokens = std::vector<Token>;

void append(Tokens& tokens, const Tokens& more, std::size_t count) {
  tokens.insert(tokens.end(), more.begin(), more.begin() + static_cast<std::ptrdiff_t>(count));
}

// Whether special tokens are written out in the text.
bool spells_special(const llama_vocab* vocab, const std::string& text) {
  const Tokens tokens = tokenize(vocab, text, false, true);
  return std::any_of(tokens.begin(), tokens.end(),
                     [&](Token t) { return llama_vocab_is_control(vocab, t); });
}

// Fixed tokens around a query and a text, in either order or with one of them missing.
struct Frame {
  Tokens before, between, after;
  bool text_first = false;
};

Tokens fill(const Frame& frame, const Tokens& query, const Tokens& text, std::size_t longest) {
  const std::size_t fixed = frame.before.size() + frame.between.size() + frame.after.size();
  const Room room = split_room(query.size(), text.size(), longest - std::min(longest, fixed));
  Tokens out = frame.before;
  frame.text_first ? append(out, text, room.text) : append(out, query, room.query);
  append(out, frame.between, frame.between.size());
  frame.text_first ? append(out, query, room.query) : append(out, text, room.text);
  append(out, frame.after, frame.after.size());
  return out;
}

Tokens fill_template(const llama_vocab* vocab, std::string_view shape, const RankPair& pair,
                     std::size_t longest) {
  constexpr std::string_view kQuery = "{query}", kText = "{document}";
  const std::size_t query = shape.find(kQuery), text = shape.find(kText);
  const bool text_first = text < query;
  const std::size_t first = std::min(query, text), second = std::max(query, text);
  const std::size_t first_end = first + (text_first ? kText : kQuery).size();
  const std::size_t second_end = second + (text_first ? kQuery : kText).size();
  const std::string_view before = shape.substr(0, first);
  const std::string_view between = shape.substr(first_end, second - first_end);
  const std::string_view after = shape.substr(second_end);
  // As one string, since tokens may reach over the seams; in parts where that can't be.
  if (!spells_special(vocab, pair.query) && !spells_special(vocab, pair.text)) {
    std::string whole(before);
    whole.append(text_first ? pair.text : pair.query).append(between);
    whole.append(text_first ? pair.query : pair.text).append(after);
    Tokens tokens = tokenize(vocab, whole, false, true);
    if (tokens.size() <= longest) return tokens;
  }
  const Frame frame{tokenize(vocab, before, false, true), tokenize(vocab, between, false, true),
                    tokenize(vocab, after, false, true), text_first};
  return fill(frame, tokenize(vocab, pair.query, false, false),
              tokenize(vocab, pair.text, false, false), longest);
}

}  // namespace

Room split_room(std::size_t query, std::size_t text, std::size_t room) {
  if (query + text <= room) return {query, text};
  const std::size_t kept = std::min(query, std::max(room / 2, room - std::min(room, text)));
  return {kept, std::min(text, room - kept)};
}

Tokens encode_text(const llama_vocab* vocab, std::string_view text, std::size_t longest) {
  Tokens tokens = tokenize(vocab, text, true, false);
  if (tokens.size() <= longest) return tokens;
  // The special token behind an empty text is behind every text.
  const Tokens frame = tokenize(vocab, "", true, false);
  const bool closed = !frame.empty() && frame.back() == tokens.back() &&
                      llama_vocab_is_control(vocab, tokens.back());
  const Token last = closed ? tokens.back() : tokens[longest - 1];
  tokens.resize(longest);
  tokens.back() = last;
  return tokens;
}

Tokens encode_pair(const llama_vocab* vocab, const char* rerank_template, const RankPair& pair,
                   std::size_t longest) {
  if (rerank_template != nullptr) return fill_template(vocab, rerank_template, pair, longest);
  const Token sep = llama_vocab_sep(vocab);
  const Token eos = llama_vocab_eos(vocab) == LLAMA_TOKEN_NULL ? sep : llama_vocab_eos(vocab);
  Frame frame;
  if (llama_vocab_get_add_bos(vocab)) frame.before.push_back(llama_vocab_bos(vocab));
  if (llama_vocab_get_add_eos(vocab)) frame.between.push_back(eos);
  if (llama_vocab_get_add_sep(vocab)) frame.between.push_back(sep);
  if (llama_vocab_get_add_eos(vocab)) frame.after.push_back(eos);
  return fill(frame, tokenize(vocab, pair.query, false, false),
              tokenize(vocab, pair.text, false, false), longest);
}

}  // namespace tq::llama
