// SPDX-License-Identifier: Apache-2.0
// The one error type of every room; its kind is the exit code of the program.
#pragma once

#include <stdexcept>
#include <string>

namespace tilewright {

/// What went wrong, as the exit code that a user sees.
enum class ErrorKind : int {
  failed = 1,   ///< the world is wrong: an unreadable file, a full disk, damage
  config = 2,   ///< usage or job file, found before a stage starts
  stopped = 4,  ///< stopped on request; the same command resumes
};

/// The text says what we did, to which object, what we found and what would be right.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

  static Error failed(const std::string& text) { return {ErrorKind::failed, text}; }
  static Error config(const std::string& text) { return {ErrorKind::config, text}; }
  static Error stopped(const std::string& text) { return {ErrorKind::stopped, text}; }

 private:
  ErrorKind kind_;
};

}  // namespace tilewright
