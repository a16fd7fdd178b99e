// The compiled kernels, for the driver to load: machine code for some architectures and PTX for newer ones.
#pragma once

#include <span>

namespace spillway {

// Empty where the addon was built without nvcc. Lives as long as the process.
std::span<const unsigned char> Kernels();

}  // namespace spillway
