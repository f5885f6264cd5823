// The one exception type the library throws. The message is a single line that says what is wrong
// and what to do; the library itself neither prints nor exits.
#pragma once

#include <stdexcept>
#include <string>

namespace tq {

enum class ErrorKind {
  usage,        // the caller asked for something that makes no sense (exit code 2)
  input,        // a prompt, file or row that can't be used
  model,        // a model, adapter or head that can't be loaded or doesn't fit
  capacity,     // not enough branches or cells in a session; nothing was changed
  io,           // reading or writing failed
  interrupted,  // the caller asked to stop
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace tq
