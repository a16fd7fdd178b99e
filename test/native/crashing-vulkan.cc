// Stands for a Vulkan loader whose driver crashes, for tests.
#include <cstdlib>

__attribute__((constructor)) static void Crash() { std::abort(); }
