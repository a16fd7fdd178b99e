// Gives free pages of the C heap back to the system.
#pragma once

namespace spillway {

// Soon, on a thread of ours; calls in quick succession are one trim (52 ms were measured after threaded
// churn).
void TrimHeapSoon();

}  // namespace spillway
