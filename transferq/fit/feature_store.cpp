#include "transferq/fit/feature_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "transferq/core/error.hpp"
#include "transferq/core/sha256.hpp"

namespace tq {
namespace {

constexpr std::size_t kDigest = 64;

std::string checksum(std::string_view bytes) {
  const auto sum = static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
  std::string out(sizeof sum, '\0');
  std::memcpy(out.data(), &sum, sizeof sum);
  return out;
}

std::size_t size_of(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0) throw Error(ErrorKind::io, std::strerror(errno));
  return static_cast<std::size_t>(status.st_size);
}

// The bytes that are there, at most `size`.
std::string read_at(int file, std::size_t size, std::size_t at) {
  std::string out(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(file, out.data() + done, size - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error(ErrorKind::io, std::strerror(errno));
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  out.resize(done);
  return out;
}

void cut(int file, std::size_t size) {
  if (::ftruncate(file, static_cast<off_t>(size)) != 0) {
    throw Error(ErrorKind::io, std::strerror(errno));
  }
}

}  // namespace

std::filesystem::path features_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return std::filesystem::path(cache) / "transferq" / "features";
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "." : home) / ".cache" / "transferq" / "features";
}

// The file as this process's alone, for as long as it lives.
class FeatureStore::Lock {
 public:
  explicit Lock(int file) : file_(file) {
    while (::flock(file_, LOCK_EX) != 0) {
      if (errno != EINTR) throw Error(ErrorKind::io, std::strerror(errno));
    }
  }
  ~Lock() { ::flock(file_, LOCK_UN); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int file_;
};

FeatureStore::FeatureStore(const std::filesystem::path& folder, const std::string& key,
                           std::size_t columns, const std::set<std::string>& wanted)
    : path_(folder / (sha256(key).substr(0, 32) + ".features")),
      columns_(columns),
      record_(kDigest + columns * sizeof(float) + sizeof(std::uint32_t)) {
  const std::string header = fmt::format("transferq features 1 {} {}\n", sha256(key), columns);
  header_ = header.size();
  try {
    std::filesystem::create_directories(folder);
    open(header);
    load(wanted);
  } catch (const std::exception& e) {
    give_up(e.what());
  }
}

FeatureStore::~FeatureStore() {
  if (file_ >= 0) ::close(file_);
}

void FeatureStore::give_up(const std::string& why) {
  trouble_ = fmt::format("{}: {}", path_.string(), why);
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

void FeatureStore::open(const std::string& header) {
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file_ < 0) throw Error(ErrorKind::io, std::strerror(errno));
  const Lock lock(file_);
  const std::string found = read_at(file_, header.size(), 0);
  if (found == header) return;
  if (!found.empty()) ++damaged_;
  cut(file_, 0);
  write(header, 0);
}

void FeatureStore::load(const std::set<std::string>& wanted) {
  const Lock lock(file_);
  const std::size_t size = size_of(file_);
  const std::size_t count = (size - header_) / record_;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = header_ + i * record_;
    const std::string bytes = read_at(file_, record_, at);
    const std::string_view body = std::string_view(bytes).substr(0, record_ - 4);
    if (bytes.substr(body.size()) != checksum(body)) {
      ++damaged_;
      const std::vector<float> nothing(columns_, 0.0F);
      write(record(std::string(kDigest, '0'), nothing), at);  // a record of no text
      continue;
    }
    const std::string digest = bytes.substr(0, kDigest);
    if (wanted.count(digest) == 0) continue;
    std::vector<float>& feature = features_[digest];
    feature.resize(columns_);
    std::memcpy(feature.data(), bytes.data() + kDigest, columns_ * sizeof(float));
  }
  const std::size_t whole = header_ + count * record_;
  if (whole != size) {
    ++damaged_;
    cut(file_, whole);
  }
}

std::string FeatureStore::record(const std::string& digest, std::span<const float> feature) const {
  std::string out = digest;
  out.append(reinterpret_cast<const char*>(feature.data()), feature.size() * sizeof(float));
  return out + checksum(out);
}

void FeatureStore::write(const std::string& bytes, std::size_t at) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        ::pwrite(file_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error(ErrorKind::io, std::strerror(errno));
    done += static_cast<std::size_t>(n);
  }
}

std::optional<std::vector<float>> FeatureStore::find(const std::string& digest) const {
  const std::lock_guard guard(mutex_);
  const auto it = features_.find(digest);
  if (it == features_.end()) return std::nullopt;
  return it->second;
}

void FeatureStore::keep(const std::string& digest, std::span<const float> feature) {
  const std::lock_guard guard(mutex_);
  if (!features_.try_emplace(digest, feature.begin(), feature.end()).second || file_ < 0) return;
  try {
    const Lock lock(file_);
    const std::size_t size = size_of(file_);
    // Another writer's piece of a record is written over.
    const std::size_t at = size - (size - header_) % record_;
    write(record(digest, feature), at);
  } catch (const Error& e) {
    give_up(e.what());
  }
}

std::string FeatureStore::trouble() const {
  const std::lock_guard guard(mutex_);
  return trouble_;
}

}  // namespace tq
