#include "transferq/engine/llama/convert.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ggml.h>
#include <gguf.h>
#include <llama.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <fstream>
#include <system_error>
#include <vector>

#include "transferq/core/error.hpp"
#include "transferq/core/text.hpp"
#include "transferq/engine/llama/gguf_file.hpp"
#include "transferq/engine/llama/runtime.hpp"

namespace tq::llama {
namespace {

namespace fs = std::filesystem;

// What a draft's name has behind the final one.
constexpr const char* kDraft = ".part-";

struct Type {
  const char* name;
  llama_ftype ftype;
  bool pure;  // every matrix in this one type
};

constexpr Type kTypes[] = {
    {"f32", LLAMA_FTYPE_ALL_F32, true},       {"f16", LLAMA_FTYPE_MOSTLY_F16, true},
    {"bf16", LLAMA_FTYPE_MOSTLY_BF16, true},  {"q8_0", LLAMA_FTYPE_MOSTLY_Q8_0, true},
    {"q4_0", LLAMA_FTYPE_MOSTLY_Q4_0, false}, {"q4_k_m", LLAMA_FTYPE_MOSTLY_Q4_K_M, false}};

const Type& find_type(std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Type& type : kTypes) {
    if (lower == type.name) return type;
  }
  const std::string near = nearest_name(lower, conversion_types());
  throw Error(
      ErrorKind::usage,
      fmt::format("no conversion to '{}': {}", name,
                  near.empty() ? fmt::format("use one of {}", fmt::join(conversion_types(), ", "))
                               : fmt::format("did you mean '{}'?", near)));
}

// Removes drafts of this file that a killed process left: nobody holds their locks any more.
void remove_stale_drafts(const fs::path& final_path) {
  const std::string prefix = final_path.filename().string() + kDraft;
  const fs::path folder = final_path.has_parent_path() ? final_path.parent_path() : ".";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().rfind(prefix, 0) != 0) continue;
    const int file = ::open(entry.path().c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) continue;
    if (::flock(file, LOCK_EX | LOCK_NB) == 0) fs::remove(entry.path(), ignored);
    ::close(file);
  }
}

// A file beside `final_path` that vanishes unless it is moved there. It is locked while it lives.
class Draft {
 public:
  explicit Draft(const fs::path& final_path) : final_path_(final_path), path_(final_path) {
    static std::atomic<unsigned> count{0};
    remove_stale_drafts(final_path);
    path_ += fmt::format("{}{}-{}", kDraft, ::getpid(), ++count);
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file_ < 0) {
      throw Error(ErrorKind::io, fmt::format("can't write in the folder of {}; check that it "
                                             "exists and its permissions",
                                             final_path.string()));
    }
    ::flock(file_, LOCK_EX | LOCK_NB);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() {
    ::close(file_);
    std::error_code ignored;
    fs::remove(path_, ignored);
  }

  const fs::path& path() const { return path_; }

  // Waits until the bytes are on the disk, then gives the file its name.
  void publish() {
    const bool synced = ::fsync(file_) == 0;
    std::error_code error;
    if (synced) fs::rename(path_, final_path_, error);
    if (!synced || error) {
      throw Error(ErrorKind::io, fmt::format("can't write {}: {}", final_path_.string(),
                                             error ? error.message() : "the disk refused it"));
    }
  }

 private:
  fs::path final_path_;
  fs::path path_;
  int file_ = -1;
};

// Whether the weights that the header announces are all there.
bool is_whole(const fs::path& path) {
  const GgufFile file = GgufFile::open(path, ErrorKind::io);
  std::size_t end = 0;
  for (std::int64_t i = 0; i < gguf_get_n_tensors(file.get()); ++i) {
    end =
        std::max(end, gguf_get_tensor_offset(file.get(), i) + gguf_get_tensor_size(file.get(), i));
  }
  return fs::file_size(path) >= gguf_get_data_offset(file.get()) + end;
}

Error disk_full(const fs::path& out) {
  return {ErrorKind::io, fmt::format("can't write all of {}: the disk is full or a limit on file "
                                     "sizes was reached; free some space and try again",
                                     out.string())};
}

}  // namespace

std::span<const std::string> conversion_types() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Type& type : kTypes) list.emplace_back(type.name);
    return list;
  }();
  return names;
}

void convert_model(const fs::path& in, const fs::path& out, std::string_view type_name) {
  const Type& type = find_type(type_name);
  ensure_started();
  if (!fs::is_regular_file(in) || !std::ifstream(in, std::ios::binary)) {
    throw Error(ErrorKind::io,
                fmt::format("can't read {}; check the path and its permissions", in.string()));
  }
  std::error_code absent;
  if (fs::equivalent(in, out, absent)) {
    throw Error(ErrorKind::usage,
                fmt::format("{} can't be converted onto itself; give another output", in.string()));
  }
  (void)GgufFile::open(in, ErrorKind::model);

  Draft draft(out);
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = type.ftype;
  params.pure = type.pure;
  params.allow_requantize = true;
  clear_log();
  if (llama_model_quantize(in.c_str(), draft.path().c_str(), &params) != 0) {
    const std::string reason = last_error();
    // llama.cpp writes through a stream that throws; its text is all that tells the two apart.
    if (reason.find("iostream") != std::string::npos) throw disk_full(out);
    throw Error(ErrorKind::model,
                fmt::format("can't convert {} to {}: {}", in.string(), type.name, reason));
  }
  if (!is_whole(draft.path())) throw disk_full(out);
  draft.publish();
}

}  // namespace tq::llama
