// Resident pages of libraries that the system can read again from their files.
#pragma once

namespace spillway {

// Gives back the code and constants of every loaded library whose file name starts with `prefix`: loading one
// touches far more of it than work does. What is used comes back from the page cache, up to 64 KiB a fault.
void DropLibraryPages(const char* prefix);

}  // namespace spillway
