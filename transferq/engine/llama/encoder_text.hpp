// How texts become the tokens an encoder reads. Private to this folder; pure functions of a
// vocabulary.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "transferq/core/token.hpp"
#include "transferq/engine/encoder.hpp"

struct llama_vocab;

namespace tq::llama {

// The text between the special tokens that the model adds; at most `longest` tokens, cut at the
// text's end.
std::vector<Token> encode_text(const llama_vocab* vocab, std::string_view text,
                               std::size_t longest);

// A query and a text as a rank head reads them, as llama.cpp's server does for /rerank:
//   the model's template named "rerank", {query} and {document} filled in, where it has one; else
//   [begin] query [end] [separator] text [end], of which the model's vocabulary adds what it adds:
//   BERT's WordPiece gives [CLS] query [SEP] text.
// At most `longest` tokens: what is too long is cut as split_room() says.
std::vector<Token> encode_pair(const llama_vocab* vocab, const char* rerank_template,
                               const RankPair& pair, std::size_t longest);

// How many tokens of a query and of a text stay when there is room for `room`: all if they fit;
// else the text is cut, but the query is cut first to half of the room if it is longer than that.
struct Room {
  std::size_t query;
  std::size_t text;
};
Room split_room(std::size_t query, std::size_t text, std::size_t room);

}  // namespace tq::llama
