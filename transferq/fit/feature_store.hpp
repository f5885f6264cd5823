// Features on disk, so that a second fit evaluates nothing. One file for each kind of feature (its
// key says model, format, text, pooling and precision), one record for each text, found by the
// text's digest.
//
// The file only grows. A record is written whole, under a lock, with a checksum: what a crash cut
// off or a disk damaged is dropped when the file is next opened, and is made anew. Several
// processes may use one file at once. Where the folder can't be written, nothing is kept and
// trouble() says why: a cache is never a reason to fail.
// Thread-safe.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace tq {

// transferq/features in the user's cache folder ($XDG_CACHE_HOME or ~/.cache).
std::filesystem::path features_folder();

class FeatureStore {
 public:
  // Opens or creates the file of `key`; of its records, those with a digest in `wanted` are kept in
  // memory. A feature is `columns` numbers, a digest 64 characters (core/sha256.hpp).
  FeatureStore(const std::filesystem::path& folder, const std::string& key, std::size_t columns,
               const std::set<std::string>& wanted);
  ~FeatureStore();
  FeatureStore(const FeatureStore&) = delete;
  FeatureStore& operator=(const FeatureStore&) = delete;

  std::optional<std::vector<float>> find(const std::string& digest) const;
  void keep(const std::string& digest, std::span<const float> feature);

  std::size_t damaged() const { return damaged_; }  // records that were dropped
  std::string trouble() const;                      // why nothing more is kept, or ""
  const std::filesystem::path& path() const { return path_; }

 private:
  class Lock;
  void open(const std::string& header);
  void load(const std::set<std::string>& wanted);
  std::string record(const std::string& digest, std::span<const float> feature) const;
  void write(const std::string& bytes, std::size_t at);
  void give_up(const std::string& why);

  std::filesystem::path path_;
  std::size_t columns_;
  std::size_t header_ = 0;  // bytes before the first record
  std::size_t record_ = 0;  // bytes of a record
  int file_ = -1;
  std::size_t damaged_ = 0;
  mutable std::mutex mutex_;
  std::string trouble_;
  std::unordered_map<std::string, std::vector<float>> features_;
};

}  // namespace tq
