#include "cache/registry.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <vector>

#include "core/never_destroyed.h"
#include "memory/reclaimable.h"

namespace spillway {
namespace {

struct Registry {
  std::mutex mutex;  // guards what follows
  std::map<std::string, std::shared_ptr<CacheTable>> named;
  std::vector<std::weak_ptr<CacheTable>> all;  // named and private
};

NeverDestroyed<Registry> registry;

// One hold of a table's locks frees about this much, so that nobody waits long for an entry meanwhile.
constexpr int64_t kSliceBytes = 4 << 20;

// All caches of the process, asked for memory as one: each gives in proportion to what it has committed.
class Caches : public Reclaimable {
 public:
  const char* name() const override { return "caches"; }

  int64_t Reclaim(int64_t bytes) override {
    const std::vector<std::shared_ptr<CacheTable>> tables = Living();
    double committed = 0;
    for (const auto& table : tables) committed += static_cast<double>(table->committed());
    int64_t freed = 0;
    for (const auto& table : tables) {
      const double share = static_cast<double>(table->committed()) / std::max(committed, 1.0);
      freed += Shrink(*table, static_cast<int64_t>(std::ceil(share * static_cast<double>(bytes))));
    }
    return freed;
  }

 private:
  static std::vector<std::shared_ptr<CacheTable>> Living() {
    std::vector<std::shared_ptr<CacheTable>> tables;
    std::lock_guard lock(registry->mutex);
    std::erase_if(registry->all, [&](const std::weak_ptr<CacheTable>& weak) {
      if (std::shared_ptr<CacheTable> table = weak.lock()) tables.push_back(std::move(table));
      return weak.expired();
    });
    return tables;
  }

  static int64_t Shrink(CacheTable& table, int64_t bytes) {
    int64_t sum = 0;
    for (int64_t freed = 1; sum < bytes && freed > 0; sum += freed)
      freed = table.Shrink(std::min(bytes - sum, kSliceBytes));
    return sum;
  }
};

NeverDestroyed<Caches> caches;

// Private caches share one account: the ledger has room for a thousand, and their names are nobody's.
Status AccountOf(const std::string& name, AccountId* account) {
  *account = Ledger::Global().Account(name.empty() ? "cache" : "cache:" + name);
  if (*account >= 0) return Status::Ok();
  return Status::Error("ERR_INVALID_ARGUMENT", "expected room for one more account (1024 exist)");
}

// REQUIRES: the registry's lock is held.
Status Create(const CacheTable::Options& options, std::shared_ptr<CacheTable>* table) {
  AccountId account;
  Status status = AccountOf(options.name, &account);
  if (!status.ok()) return status;
  *table = std::make_shared<CacheTable>(options, account);
  static std::once_flag added;
  std::call_once(added, [] { AddReclaimable(&*caches); });
  std::erase_if(registry->all, [](const std::weak_ptr<CacheTable>& weak) { return weak.expired(); });
  registry->all.push_back(*table);
  return status;
}

}  // namespace

Status OpenCacheTable(const CacheTable::Options& options, std::shared_ptr<CacheTable>* table) {
  std::lock_guard lock(registry->mutex);
  if (options.name.empty()) return Create(options, table);
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
