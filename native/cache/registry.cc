#include "cache/registry.h"

#include <map>
#include <mutex>

#include "core/never_destroyed.h"

namespace spillway {
namespace {

struct Registry {
  std::mutex mutex;  // guards what follows
  std::map<std::string, std::shared_ptr<CacheTable>> named;
};

NeverDestroyed<Registry> registry;

// Private caches share one account: the ledger has room for a thousand, and their names are nobody's.
Status AccountOf(const std::string& name, AccountId* account) {
  *account = Ledger::Global().Account(name.empty() ? "cache" : "cache:" + name);
  if (*account >= 0) return Status::Ok();
  return Status::Error("ERR_INVALID_ARGUMENT", "expected room for one more account (1024 exist)");
}

Status Create(const CacheTable::Options& options, std::shared_ptr<CacheTable>* table) {
  AccountId account;
  Status status = AccountOf(options.name, &account);
  if (status.ok()) *table = std::make_shared<CacheTable>(options, account);
  return status;
}

}  // namespace

Status OpenCacheTable(const CacheTable::Options& options, std::shared_ptr<CacheTable>* table) {
  if (options.name.empty()) return Create(options, table);
  std::lock_guard lock(registry->mutex);
  std::shared_ptr<CacheTable>& named = registry->named[options.name];
  Status status;
  if (!named) {
    status = Create(options, &named);
  } else if (named->options() != options) {
    const CacheTable::Options& there = named->options();
    status = Status::Error("ERR_INVALID_ARGUMENT",
                           "expected the options of the cache '" + options.name + "' that exists (maxBytes " +
                               std::to_string(there.max_bytes) + ", ttl " + std::to_string(there.ttl_ms) +
                               " ms) but received others (maxBytes " + std::to_string(options.max_bytes) +
                               ", ttl " + std::to_string(options.ttl_ms) + " ms)");
  }
  *table = named;
  return status;
}

}  // namespace spillway
