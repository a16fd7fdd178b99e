// What the addon brings for a GPU to run.
#pragma once

#include "cuda/kernels.h"

namespace spillway {

// Bytes of the kernels in the addon; 0 where it was built without nvcc.
inline size_t KernelBytes() { return Kernels().size(); }

}  // namespace spillway
