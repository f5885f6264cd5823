// An append-only JSONL file of results that survives a kill at any moment. Each row is written
// whole by one call and flushed to the disk; a piece of a row left by a crash is cut off on the
// next opening; rows carry the fingerprint of their settings, and a file with another one is
// refused, as is one that answers another prompt under an id of this run. One process at a time
// holds the file (it is locked). Thread-safe.
#pragma once

#include <cstddef>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>

#include "transferq/policy/prompt.hpp"

namespace tq {

// A row that a run may write: its id, and fields that tell it from a row of something else under
// the same id. A field that is null must be absent.
struct ExpectedRow {
  std::string id;
  nlohmann::json fields;
};

class ResultsFile {
 public:
  // Opens or creates the file for a run that may write these rows. Throws Error: io when it can't
  // be written or another process has it open; input when it holds anything but rows of these
  // settings, or a row of something else under the id of one of these. A refused file is left as it
  // was.
  ResultsFile(std::filesystem::path path, const std::string& settings,
              std::span<const ExpectedRow> expected);
  // The same for a run that answers these prompts.
  ResultsFile(std::filesystem::path path, const std::string& settings,
              std::span<const Prompt> prompts);
  ~ResultsFile();
  ResultsFile(const ResultsFile&) = delete;
  ResultsFile& operator=(const ResultsFile&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // Ids of the rows already in the file.
  bool finished(const std::string& id) const;

  // Appends a row (without its newline). Throws Error (io) when it can't be written whole, for
  // instance on a full disk; the file then ends with the row before.
  void append(const std::string& id, const std::string& row);

 private:
  void load(const std::string& settings, std::span<const ExpectedRow> expected);

  std::filesystem::path path_;
  int file_ = -1;
  mutable std::mutex mutex_;
  std::set<std::string> ids_;
  std::size_t size_ = 0;  // bytes of whole rows
};

}  // namespace tq
