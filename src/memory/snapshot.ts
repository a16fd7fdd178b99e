// What is held and by whom, at one moment.
import type { AccountFigures, Ledger, PressureReading } from '../contract/index.js';
import { levelName, type PressureLevel } from './levels.js';

/** The account of what is used beyond the others: V8, libraries, others under the same limit. */
const UNMANAGED = 'unmanaged';

export type AccountSnapshot = Omit<AccountFigures, 'name'>;

/** All figures are bytes. */
export interface MemorySnapshot {
  readonly budget: number;
  /** The limit that binds this process, whatever the budget says. */
  readonly limit: number;
  /** Whose limit it is: a cgroup folder, or `machine`. */
  readonly source: string;
  readonly rss: number;
  readonly workingSet: number;
  /** Sum of all accounts. */
  readonly accounted: number;
  /** What is used beyond the accounts: V8, libraries, others under the same limit. */
  readonly unmanaged: number;
  readonly level: PressureLevel;
  readonly accounts: Readonly<Record<string, AccountSnapshot>>;
  /** Devices with memory of their own that something is held on. */
  readonly devices: readonly DeviceSnapshot[];
}

export interface DeviceSnapshot {
  readonly id: string;
  readonly budget: number;
  readonly used: number;
  readonly accounts: Readonly<Record<string, AccountSnapshot>>;
}

export function snapshotOf(reading: PressureReading, ledger: Ledger, budget: number): MemorySnapshot {
  const accounts: Record<string, AccountSnapshot> = {};
  for (const { name, ...figures } of ledger.snapshot().slice(1))
    if (name !== UNMANAGED) accounts[name] = figures;
  return {
    budget,
    limit: reading.limitBytes,
    source: reading.source,
    rss: reading.residentBytes,
    workingSet: reading.workingSetBytes,
    accounted: ledger.held(0) - reading.unmanagedBytes,
    unmanaged: reading.unmanagedBytes,
    level: levelName(reading.level),
    accounts,
    devices: [],
  };
}
