// Libraries of custom operators: code of others, so only the very bytes that were named by their digest.
//
// A file is opened once and copied into sealed memory; the copy is hashed, and it is what the loader maps.
// What was loaded stays, in the process and in the account, for as long as the process does: sessions may
// refer to it from their threads to the end.
#pragma once

#include <string>

#include "core/status.h"
#include "infer/ort_api.h"

namespace spillway {

struct OperatorLibrary {
  std::string path;
  std::string sha256;  // lower-case hexadecimal
};

// Loads the library where nobody has yet, and adds its operators to a session that is being made.
// ERR_MODEL_REJECTED for other bytes, or for what is no such library; a system code where it cannot be read.
Status RegisterOperators(const OperatorLibrary& library, ort::SessionOptions* options);

}  // namespace spillway
