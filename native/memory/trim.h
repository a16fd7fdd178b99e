// The C heap: giving its free pages back to the system.
#pragma once

namespace spillway {

// Soon, on a thread of ours; calls in quick succession are one trim (52 ms were measured after threaded
// churn).
void TrimHeapSoon();

// Serves large blocks from mappings of their own for the rest of the process, so that freeing one gives its
// pages back at once. Harmless when repeated.
void MapLargeBlocks();

}  // namespace spillway
