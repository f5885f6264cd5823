#include "transferq/eval/results_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "transferq/core/error.hpp"
#include "transferq/eval/row.hpp"

namespace tq {
namespace {

// Whether a line without its end is the beginning of a row of this run: with whole id and settings,
// of these settings; shorter, of a row that the run may write.
bool is_piece(std::string_view line, const std::string& settings,
              std::span<const ExpectedRow> expected) {
  const std::string start = row_start("", settings);  // {"id":"","settings":"..."
  const std::string_view before = std::string_view(start).substr(0, start.find(":\"") + 2);
  const std::string_view behind = std::string_view(start).substr(before.size());
  const auto meets = [](std::string_view a, std::string_view b) {
    const std::size_t shared = std::min(a.size(), b.size());
    return a.substr(0, shared) == b.substr(0, shared);
  };
  if (!meets(line, before)) return false;
  std::size_t end = before.size();  // of the id
  while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2 : 1;
  if (end < line.size() && line.size() - end >= behind.size()) {
    return meets(line.substr(end), behind);
  }
  return std::any_of(expected.begin(), expected.end(), [&](const ExpectedRow& row) {
    return meets(line, row_start(row.id, settings));
  });
}

bool agrees(const nlohmann::json& row, const nlohmann::json& fields) {
  return std::all_of(fields.items().begin(), fields.items().end(), [&](const auto& field) {
    const auto found = row.find(field.key());
    return found == row.end() ? field.value().is_null() : *found == field.value();
  });
}

std::vector<ExpectedRow> expected_rows(std::span<const Prompt> prompts) {
  std::vector<ExpectedRow> rows;
  for (const Prompt& prompt : prompts) rows.push_back({prompt.id, asked_fields(prompt)});
  return rows;
}

}  // namespace

ResultsFile::ResultsFile(std::filesystem::path path, const std::string& settings,
                         std::span<const Prompt> prompts)
    : ResultsFile(std::move(path), settings, expected_rows(prompts)) {}

ResultsFile::ResultsFile(std::filesystem::path path, const std::string& settings,
                         std::span<const ExpectedRow> expected)
    : path_(std::move(path)) {
  if (std::filesystem::exists(path_) && !std::filesystem::is_regular_file(path_)) {
    throw Error(ErrorKind::io, fmt::format("--out {} is not a regular file; give the path of a "
                                           "results file",
                                           path_.string()));
  }
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) {
    throw Error(ErrorKind::io, fmt::format("can't write {}: {}; choose another --out",
                                           path_.string(), std::strerror(errno)));
  }
  try {
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      throw Error(ErrorKind::io, fmt::format("{} is being written by another run; wait for it or "
                                             "choose another --out",
                                             path_.string()));
    }
    load(settings, expected);
  } catch (...) {
    ::close(file_);
    throw;
  }
}

ResultsFile::~ResultsFile() { ::close(file_); }

void ResultsFile::load(const std::string& settings, std::span<const ExpectedRow> expected) {
  std::map<std::string, const nlohmann::json*> by_id;
  for (const ExpectedRow& row : expected) by_id[row.id] = &row.fields;
  std::ifstream in(path_, std::ios::binary);
  std::string line;
  const auto text = [](const nlohmann::json& row, const char* key) {
    return row.is_object() && row.contains(key) && row[key].is_string()
               ? row[key].get<std::string>()
               : std::string();
  };
  for (std::size_t number = 1; std::getline(in, line) && !in.eof(); ++number) {
    const auto row = nlohmann::json::parse(line, nullptr, false);
    if (text(row, "id").empty() || text(row, "settings").empty()) {
      throw Error(ErrorKind::input, fmt::format("{} line {} is no result of tq; nothing "
                                                "was changed; choose another --out",
                                                path_.string(), number));
    }
    if (text(row, "settings") != settings) {
      throw Error(ErrorKind::input, fmt::format("{} was written under other settings; nothing was "
                                                "changed; repeat those, or choose another --out",
                                                path_.string()));
    }
    const auto asked = by_id.find(text(row, "id"));
    if (asked != by_id.end() && !agrees(row, *asked->second)) {
      throw Error(ErrorKind::input,
                  fmt::format("{} line {} is of another prompt under the id '{}'; nothing was "
                              "changed; give the new one another id, or choose another --out",
                              path_.string(), number, asked->first));
    }
    ids_.insert(text(row, "id"));
    size_ += line.size() + 1;
  }
  // A line without its end is the piece of a row that a crash left, or no file of ours at all.
  if (in.eof() && !line.empty()) {
    if (!is_piece(line, settings, expected)) {
      throw Error(ErrorKind::input,
                  fmt::format("{} is no results file of tq under these "
                              "settings; nothing was changed; choose another --out",
                              path_.string()));
    }
    if (::ftruncate(file_, static_cast<off_t>(size_)) != 0) {
      throw Error(ErrorKind::io,
                  fmt::format("can't repair {}: {}", path_.string(), std::strerror(errno)));
    }
  }
}

bool ResultsFile::finished(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return ids_.count(id) > 0;
}

void ResultsFile::append(const std::string& id, const std::string& row) {
  const std::lock_guard lock(mutex_);
  const auto fail = [&](int reason) {
    const bool whole = ::ftruncate(file_, static_cast<off_t>(size_)) == 0;
    throw Error(ErrorKind::io,
                fmt::format("can't write to {}: {}; its {} finished rows are {}, and the same "
                            "command goes on from there",
                            path_.string(), std::strerror(reason), ids_.size(),
                            whole ? "safe" : "safe but for a broken last line"));
  };
  const std::string line = row + "\n";
  std::size_t written = 0;
  while (written < line.size()) {
    const ssize_t n = ::write(file_, line.data() + written, line.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(errno);
    written += static_cast<std::size_t>(n);
  }
  // Some file systems can't flush and say EINVAL; any other refusal is a row that may be lost.
  while (::fdatasync(file_) != 0 && errno != EINVAL) {
    if (errno != EINTR) fail(errno);
  }
  size_ += line.size();
  ids_.insert(id);
}

}  // namespace tq
