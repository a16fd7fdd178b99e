// Frees the bytes of expired entries while nobody uses their cache.
#pragma once

#include "cache/table.h"

namespace spillway {

// Has a thread of ours look after the table four times a second, for as long as it holds entries that expire.
void WatchForExpiry(CacheTable& table);

}  // namespace spillway
