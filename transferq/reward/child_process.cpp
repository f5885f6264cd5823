#include "transferq/reward/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "transferq/core/error.hpp"
#include "transferq/reward/no_sigpipe.hpp"

extern char** environ;

namespace tq {
namespace {

constexpr std::chrono::milliseconds kGoodbye{200};  // to end by itself once its input is closed
constexpr std::chrono::milliseconds kGrace{1000};   // to end after SIGTERM

Error failed(const char* what, int reason) {
  return {ErrorKind::io, fmt::format("can't {} for a program: {}; close files or programs that are "
                                     "not needed and try again",
                                     what, std::strerror(reason))};
}

// A file descriptor that closes itself.
class File {
 public:
  File() = default;
  explicit File(int file) : file_(file) {}
  File(File&& other) noexcept : file_(other.release()) {}
  File& operator=(File&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~File() {
    if (file_ >= 0) ::close(file_);
  }
  int get() const { return file_; }
  int release() { return std::exchange(file_, -1); }

 private:
  int file_ = -1;
};

struct Pipe {
  File read, write;
};

// The ends are above the standard streams' numbers, also where those of ours are closed.
Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw failed("open a pipe", errno);
  Pipe pipe{File(ends[0]), File(ends[1])};
  for (File* end : {&pipe.read, &pipe.write}) {
    if (end->get() > STDERR_FILENO) continue;
    const int moved = ::fcntl(end->get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (moved < 0) throw failed("open a pipe", errno);
    *end = File(moved);
  }
  return pipe;
}

void never_block(const File& file) {
  ::fcntl(file.get(), F_SETFL, ::fcntl(file.get(), F_GETFL) | O_NONBLOCK);
}

// What posix_spawn is told; frees itself.
struct SpawnPlan {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;

  SpawnPlan(const Pipe& in, const Pipe& out, const Pipe& err) {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_adddup2(&files, in.read.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, out.write.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, err.write.get(), STDERR_FILENO);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    // Also what other libraries opened without O_CLOEXEC.
    ::posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
#endif
    ::posix_spawnattr_init(&attributes);
    sigset_t none, usual;
    ::sigemptyset(&none);
    ::sigemptyset(&usual);
    for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGXFSZ, SIGCHLD, SIGHUP}) {
      ::sigaddset(&usual, signal);
    }
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &usual);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
};

std::string describe(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("was ended by signal {} ({})", WTERMSIG(status),
                       ::strsignal(WTERMSIG(status)));
  }
  return fmt::format("exited with status {}", WEXITSTATUS(status));
}

}  // namespace

ChildProcess::ChildProcess(const std::string& command) {
  Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();
  const SpawnPlan plan(in, out, err);
  std::string shell = "sh", option = "-c", text = command;
  std::array<char*, 4> arguments{shell.data(), option.data(), text.data(), nullptr};
  const int error =
      ::posix_spawn(&pid_, "/bin/sh", &plan.files, &plan.attributes, arguments.data(), environ);
  if (error != 0) throw failed("start /bin/sh", error);
  for (const File* end : {&in.write, &out.read, &err.read}) never_block(*end);
  input_ = in.write.release();
  output_ = out.read.release();
  errors_ = err.read.release();
}

ChildProcess::~ChildProcess() {
  close_input();
  if (ended_.empty() && !exits_within(kGoodbye)) end(kGrace);
  reap();
  for (const int file : {output_, errors_}) {
    if (file >= 0) ::close(file);
  }
}

std::size_t ChildProcess::write(std::string_view bytes) {
  if (input_ < 0 || bytes.empty()) return 0;
  const NoSigpipe guard;
  const ssize_t n = ::write(input_, bytes.data(), bytes.size());
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) close_input();
  return 0;
}

void ChildProcess::read(int& file, std::string& to) {
  if (file < 0) return;
  std::array<char, 65536> buffer;
  const ssize_t n = ::read(file, buffer.data(), buffer.size());
  if (n > 0) {
    to.append(buffer.data(), static_cast<std::size_t>(n));
  } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
    ::close(std::exchange(file, -1));
  }
}

void ChildProcess::close_input() {
  if (input_ >= 0) ::close(std::exchange(input_, -1));
}

bool ChildProcess::exits_within(std::chrono::milliseconds time) const {
  const auto deadline = std::chrono::steady_clock::now() + time;
  for (;;) {
    siginfo_t info{};
    // The child is left to be reaped, so that its number stays its own.
    const int result = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    if (result != 0 && errno != EINTR) return true;
    if (result == 0 && info.si_pid == pid_) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

std::string ChildProcess::end(std::chrono::milliseconds grace) {
  if (!ended_.empty()) return ended_;
  if (!exits_within(std::chrono::milliseconds(0))) {
    ::kill(-pid_, SIGTERM);
    if (!exits_within(grace)) ::kill(-pid_, SIGKILL);
  }
  return reap();
}

std::string ChildProcess::reap() {
  if (!ended_.empty()) return ended_;
  int status = 0;
  // What the child started and left behind goes, too, while its group's number can be no other's.
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
  ::kill(-pid_, SIGKILL);
  pid_t reaped = 0;
  do {
    reaped = ::waitpid(pid_, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  ended_ = reaped == pid_ ? describe(status) : "ended";
  return ended_;
}

}  // namespace tq
