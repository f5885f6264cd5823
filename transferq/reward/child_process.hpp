// A child process with pipes on its three standard streams. It gets no other file of ours, none of
// our blocked or ignored signals, and a process group of its own, so that a Ctrl-C on the terminal
// is ours alone to handle and that whatever it started ends with it.
// Not thread-safe; several children may be started from several threads.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tq {

class ChildProcess {
 public:
  // Runs `/bin/sh -c command`. Throws Error (io) when that can't be started.
  explicit ChildProcess(const std::string& command);
  // Closes its input and waits briefly; then SIGTERM, then SIGKILL. The child is always reaped.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Our ends of its streams, none of which block; -1 once closed.
  int input() const { return input_; }    // what we write and it reads
  int output() const { return output_; }  // what it writes
  int errors() const { return errors_; }

  // Writes what the pipe takes at once and returns how much that was; no SIGPIPE is raised. Closes
  // the input where nobody reads it any more.
  std::size_t write(std::string_view bytes);
  // Appends what is there to `to`, up to about 64 kB, and closes the stream at its end.
  void read_output(std::string& to) { read(output_, to); }
  void read_errors(std::string& to) { read(errors_, to); }
  void close_input();

  // Whether it ends by itself within a time.
  bool exits_within(std::chrono::milliseconds time) const;
  // Ends the child with SIGTERM, and SIGKILL after the grace; says how it ended, as in "exited with
  // status 3". One that has ended by itself is reaped.
  std::string end(std::chrono::milliseconds grace);

 private:
  static void read(int& file, std::string& to);
  std::string reap();

  pid_t pid_ = -1;
  int input_ = -1, output_ = -1, errors_ = -1;
  std::string ended_;  // how
};

}  // namespace tq
