#include "transferq/engine/tabular/model.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "transferq/core/error.hpp"
#include "transferq/core/random.hpp"
#include "transferq/core/sha256.hpp"
#include "transferq/engine/tabular/session.hpp"

namespace tq::tabular {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

TabularModel::TabularModel(std::size_t vocabulary, const Table& table, TabularOptions options)
    : tokens_(vocabulary), options_(std::move(options)) {
  if (tokens_ == 0 || (options_.end.has_value() &&
                       (*options_.end < 0 || static_cast<std::size_t>(*options_.end) >= tokens_))) {
    throw Error(ErrorKind::usage, "a table needs at least one token, and its end token among them");
  }
  check_table(table, tokens_);
  uniform_.assign(tokens_, -std::log(static_cast<double>(tokens_)));
  if (options_.begin) uniform_.push_back(kNever);
  Sha256 digest;
  const std::string head =
      fmt::format("table {} {} {}\n", tokens_, options_.end.value_or(kNoToken), options_.begin);
  vocabulary_identity_ = sha256(head);
  digest.update(head);
  for (const auto& [prefix, row] : table) {
    digest.update(format_prefix(prefix));
    std::vector<double>& logs = rows_[prefix];
    for (const double p : row) {
      digest.update(fmt::format(" {:a}", p));
      logs.push_back(p > 0 ? std::log(p) : kNever);
    }
    if (options_.begin) logs.push_back(kNever);
    digest.update("\n");
  }
  identity_ = digest.hex();
}

std::optional<Token> TabularModel::begin() const {
  if (!options_.begin) return std::nullopt;
  return static_cast<Token>(tokens_);
}

std::vector<Token> TabularModel::tokenize(std::string_view text, bool special) const {
  std::vector<Token> out;
  if (special && options_.begin) out.push_back(*begin());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '.') {
      ++at;
      continue;
    }
    std::size_t size = 0;
    while (at + size < text.size() && is_digit(text[at + size]) && (size == 0 || tokens_ > 10)) {
      ++size;
    }
    Token token = kNoToken;
    const auto read = std::from_chars(text.data() + at, text.data() + at + size, token);
    if (size == 0 || read.ec != std::errc() || static_cast<std::size_t>(token) >= tokens_) {
      throw Error(ErrorKind::input,
                  fmt::format("'{}' is not tokens of model {}; write numbers from 0 to {}, "
                              "separated by '.'",
                              text, name(), tokens_ - 1));
    }
    out.push_back(token);
    at += size;
  }
  return out;
}

std::string TabularModel::piece(Token token, bool /*special*/) const {
  if (token < 0 || static_cast<std::size_t>(token) >= vocabulary()) {
    throw Error(ErrorKind::usage,
                fmt::format("token {} is outside the vocabulary of {}", token, vocabulary()));
  }
  if (static_cast<std::size_t>(token) == tokens_) return "";  // the begin token
  return tokens_ > 10 ? fmt::format("{}.", token) : fmt::format("{}", token);
}

std::string TabularModel::apply_chat_template(std::span<const Message> /*messages*/) const {
  throw Error(ErrorKind::model,
              fmt::format("model {} is a table and has no chat template; use raw text", name()));
}

std::unique_ptr<Session> TabularModel::open_session(const SessionOptions& options) const {
  if (options.adapter != Adapter{}) {
    throw Error(ErrorKind::model, fmt::format("model {} is a table and takes no adapter", name()));
  }
  return std::make_unique<TabularSession>(*this, options);
}

const std::vector<double>& TabularModel::log_probabilities(std::span<const Token> tokens) const {
  if (options_.begin && !tokens.empty() && tokens.front() == begin()) tokens = tokens.subspan(1);
  const auto row = rows_.find(Prefix(tokens.begin(), tokens.end()));
  return row == rows_.end() ? uniform_ : row->second;
}

std::vector<float> TabularModel::hidden(std::span<const Token> tokens) const {
  std::array<std::uint32_t, 4> state{};
  for (const Token token : tokens) {
    state = philox(state, {static_cast<std::uint32_t>(token), 0x7471});
  }
  std::vector<float> out;
  for (const std::uint32_t word : state) {
    out.push_back(static_cast<float>(static_cast<std::int32_t>(word) >> 8) * 0x1.0p-23f);
  }
  return out;
}

}  // namespace tq::tabular
