// The caches of this process: named ones are there for every thread and stay until the process ends.
#pragma once

#include "cache/table.h"
#include "core/status.h"

namespace spillway {

// The cache of that name, made where there is none; a new one where the name is empty. Fails with
// ERR_INVALID_ARGUMENT where the name exists with other options.
Status OpenCacheTable(const CacheTable::Options& options, std::shared_ptr<CacheTable>* table);

}  // namespace spillway
