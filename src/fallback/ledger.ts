// The ledger in JavaScript: the same contract as native/memory/ledger, for the accounts that exist here.
import type { AccountFigures, AccountId, Ledger } from '../contract/index.js';
import { invalidArgument } from '../util/errors.js';

interface Entry {
  name: string;
  parent: AccountId;
  limit: number;
  held: number;
  bytes: number;
  reserved: number;
  peak: number;
}

/** What only the parts of the JavaScript path itself need of their ledger. */
export interface StorageLedger extends Ledger {
  /** Like `charge`, for what is kept only in case it is useful: also refused where the host would pass the ceiling. */
  chargeStorage(account: AccountId, bytes: number): boolean;
  setStorageCeiling(bytes: number): void;
  storageCeiling(): number;
  /** Estimates of all accounts. */
  estimated(): number;
}

const MAX_ACCOUNTS = 1024;

/** A ledger of its own; each worker thread of the JavaScript path has one. */
export function createLedger(): StorageLedger {
  const entries: Entry[] = [entry('host', -1)];
  let ceiling = Number.POSITIVE_INFINITY;
  let estimated = 0;

  const at = (id: AccountId): Entry => {
    const found = entries[id];
    if (!found) throw invalidArgument('account', 'the number of an open account', id);
    return found;
  };
  const lineage = function* (id: AccountId): Generator<Entry> {
    for (let next = id; next >= 0; ) {
      const current = at(next);
      yield current;
      next = current.parent;
    }
  };
  const book = (id: AccountId, bytes: number, column: 'bytes' | 'reserved'): void => {
    for (const each of lineage(id)) each.held += bytes;
    const own = at(id);
    own[column] += bytes;
    if (column === 'reserved') estimated += bytes;
    own.peak = Math.max(own.peak, own.bytes + own.reserved);
    const host = at(0);
    host.peak = Math.max(host.peak, host.held);
  };
  const tryBook = (id: AccountId, bytes: number, column: 'bytes' | 'reserved'): boolean => {
    if (!(bytes >= 0)) throw invalidArgument('bytes', 'a number of bytes of at least 0', bytes);
    for (const each of lineage(id)) if (each.held + bytes > each.limit) return false;
    book(id, bytes, column);
    return true;
  };

  return {
    account(name, parent) {
      at(parent);
      const found = entries.findIndex((each) => each.parent === parent && each.name === name);
      if (found >= 0) return found;
      if (entries.length === MAX_ACCOUNTS)
        throw invalidArgument('account', `room for one more account (${MAX_ACCOUNTS} exist)`, name);
      return entries.push(entry(name, parent)) - 1;
    },
    setLimit: (id, bytes) => {
      at(id).limit = bytes;
    },
    limit: (id) => at(id).limit,
    charge: (id, bytes) => tryBook(id, bytes, 'bytes'),
    chargeStorage: (id, bytes) => at(0).held + bytes <= ceiling && tryBook(id, bytes, 'bytes'),
    setStorageCeiling: (bytes) => {
      ceiling = bytes;
    },
    storageCeiling: () => ceiling,
    estimated: () => estimated,
    overdraw: (id, bytes) => book(id, bytes, 'bytes'),
    credit: (id, bytes) => book(id, -bytes, 'bytes'),
    reserve: (id, bytes) => tryBook(id, bytes, 'reserved'),
    unreserve: (id, bytes) => book(id, -bytes, 'reserved'),
    transfer: (from, to, bytes) => {
      book(from, -bytes, 'reserved');
      book(to, bytes, 'reserved');
    },
    held: (id) => at(id).held,
    snapshot: () => {
      const rows: AccountFigures[] = entries.map(({ name, bytes, reserved, peak }) => ({
        name,
        bytes,
        reserved,
        peak,
      }));
      const sum = (column: 'bytes' | 'reserved') => rows.reduce((total, row) => total + row[column], 0);
      rows[0] = { name: 'host', bytes: sum('bytes'), reserved: sum('reserved'), peak: at(0).peak };
      return rows;
    },
  };
}

function entry(name: string, parent: AccountId): Entry {
  return { name, parent, limit: Number.POSITIVE_INFINITY, held: 0, bytes: 0, reserved: 0, peak: 0 };
}
