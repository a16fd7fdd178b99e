#include "cuda/kernels.h"

#ifdef SPILLWAY_FATBIN

// The assembler takes the file in as it is: no generated source of several megabytes, no CUDA library linked.
asm(".pushsection .rodata\n"
    ".balign 16\n"
    "spillway_kernels_begin:\n"
    ".incbin \"" SPILLWAY_FATBIN
    "\"\n"
    "spillway_kernels_end:\n"
    ".popsection\n");

extern "C" const unsigned char spillway_kernels_begin[], spillway_kernels_end[];

std::span<const unsigned char> spillway::Kernels() { return {spillway_kernels_begin, spillway_kernels_end}; }

#else

std::span<const unsigned char> spillway::Kernels() { return {}; }

#endif
