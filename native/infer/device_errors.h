// What WebGPU's device told of errors, which comes by ONNX Runtime's log alone: a graph whose weights found
// no memory counts as loaded, and only its runs fail.
#pragma once

#include <string>

namespace spillway {

// Of a message of the log: remembers the first error of the device. Thread-safe.
void NoteDeviceError(const char* message);

// The first error since the last call, in one line; empty where there was none.
std::string TakeDeviceError();

}  // namespace spillway
