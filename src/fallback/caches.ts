// The byte caches of one thread: found by name, and asked for memory together.
import type { ByteTable, CachePlan } from '../contract/index.js';
import { SpillwayError } from '../util/errors.js';
import { Table } from './byte-cache.js';
import type { TimedGovernor } from './governor.js';
import type { StorageLedger } from './ledger.js';

/** Opens byte caches that charge `ledger`, and shrink for the governor: caches of one name are one cache. */
export function createCaches(ledger: StorageLedger, governor: TimedGovernor): (plan: CachePlan) => ByteTable {
  const named = new Map<string, { plan: CachePlan; table: ByteTable }>();
  const all = new Set<WeakRef<Table>>();
  governor.addReclaimable((bytes) => shrinkAll(all, bytes));
  const create = (plan: CachePlan, account: string): Table => {
    const table = new Table(plan, ledger, ledger.account(account, 0));
    for (const each of all) if (!each.deref()) all.delete(each);
    all.add(new WeakRef(table));
    return table;
  };
  return (plan) => {
    const { name } = plan;
    if (name === '') return create(plan, 'cache');
    const found = named.get(name) ?? { plan, table: create(plan, `cache:${name}`) };
    if (found.plan.maxBytes !== plan.maxBytes || found.plan.ttlMs !== plan.ttlMs)
      throw new SpillwayError(
        'ERR_INVALID_ARGUMENT',
        `expected the options of the cache '${name}' that exists (maxBytes ${found.plan.maxBytes}, ttl ${found.plan.ttlMs} ms) but received others (maxBytes ${plan.maxBytes}, ttl ${plan.ttlMs} ms)`,
      );
    named.set(name, found);
    return found.table;
  };
}

/** Each cache gives in proportion to what it holds. */
function shrinkAll(all: Iterable<WeakRef<Table>>, bytes: number): number {
  const tables = Array.from(all, (each) => each.deref()).filter((table) => table !== undefined);
  const total = tables.reduce((sum, table) => sum + table.usedBytes, 0);
  let freed = 0;
  for (const table of tables)
    freed += table.shrink(Math.ceil((bytes * table.usedBytes) / Math.max(1, total)));
  return freed;
}
