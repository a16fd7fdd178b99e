// The outcome of a native operation: success, or a stable code and one sentence.
#pragma once

#include <string>
#include <utility>

namespace spillway {

struct Status {
  std::string code;  // empty on success; else a code of src/util/errors.ts or a system code such as ENOENT
  std::string message;

  bool ok() const { return code.empty(); }

  static Status Ok() { return {}; }
  static Status Error(std::string code, std::string message) { return {std::move(code), std::move(message)}; }
  // A failed system call: "cannot open 'x': No such file or directory", with the name of errno as the code.
  static Status System(int error_number, const std::string& what);
};

// The symbolic name of an errno value: "ENOENT".
std::string ErrnoName(int error_number);

}  // namespace spillway
