/** Bounds on memory, both kept, and where they are read. */
export interface GovernorPlan {
  /** Bounds the resident memory of this process and its children, bytes; `Infinity`: not bounded by size. */
  readonly residentBytes: number;
  /** Of the limit that binds (the tightest cgroup up to the root, else the machine), above 0 and up to 1. */
  readonly limitShare: number;
  /** What stands for `/proc`; tests give a folder of their own. */
  readonly proc: string;
  /** What stands for `/sys/fs/cgroup`. */
  readonly cgroup: string;
}

/**
 * 0 `NORMAL` below 70 % of the budget, 1 `ELEVATED` below 85 %, 2 `HIGH` below 95 %, 3 `CRITICAL`. A level is left
 * only 6 points below where it begins.
 */
export type PressureDegree = 0 | 1 | 2 | 3;

/** Where each level begins, used ÷ budget, by degree; `native/memory/pressure.h` has the same. */
export const PRESSURE_BEGINS = [0, 0.7, 0.85, 0.95] as const;
/** A level is left this far below where it begins, so that a saw-tooth on a threshold does not flap. */
export const PRESSURE_HYSTERESIS = 0.06;
/** The degree of `HIGH`: from here on memory is given back and less is begun. */
export const HIGH = 2;

/** Figures of one moment. */
export interface PressureFigures {
  /** Milliseconds since the epoch, with fractions. */
  readonly at: number;
  /** Resident memory of this process, bytes, as are all that end so. */
  readonly residentBytes: number;
  /** Resident memory of the children that are counted. */
  readonly childrenBytes: number;
  /** The limit that is nearest, whatever share of it may be used. */
  readonly limitBytes: number;
  /** Used under that limit, reclaimable page cache left out. */
  readonly workingSetBytes: number;
  /** The lesser of the two bounds: what could be held at most. The limit of the ledger's host while a plan holds. */
  readonly budgetBytes: number;
  /** The least that is left under any bound; negative beyond it. */
  readonly headroomBytes: number;
  /** `(budgetBytes − headroomBytes) / budgetBytes`: used, or out of reach because others use it. */
  readonly usedShare: number;
  readonly level: PressureDegree;
  /** Used beyond the accounts of the ledger, as booked there. */
  readonly unmanagedBytes: number;
  /** Time that tasks waited for memory until now, microseconds (`some total` of PSI); NaN where it cannot be read. */
  readonly stalledUs: number;
}

/** What was measured, and where. */
export interface PressureReading extends PressureFigures {
  /** Whose limit is nearest: a cgroup folder, `machine`, or `process` where neither can be read. */
  readonly source: string;
  /** What was unmanaged when the plan was made; never less is booked. */
  readonly baseBytes: number;
}

/**
 * `level`: the level changed. `freed`: storage was freed. `spill`: nothing native is left to free, and JavaScript is
 * asked to give `bytes` back. `signal`: something that is read was lost or came back, or samples are missing.
 */
export interface PressureEvent {
  readonly kind: 'level' | 'freed' | 'spill' | 'signal';
  readonly level: PressureDegree;
  /** The level before; equal to `level` where it did not change. */
  readonly previous: PressureDegree;
  readonly reading: PressureReading;
  /** One sentence with the bound and its figures. */
  readonly reason: string;
  /** Freed, or asked for; 0 for the others. */
  readonly bytes: number;
  /** What gave the bytes (`'caches'`); empty for the others. */
  readonly account: string;
}

/** Readings as columns of equal length, newest last: the fullest reading of each 100 ms, about seven minutes long. */
export type PressureHistory = { readonly [Figure in keyof PressureFigures]: Float64Array };

/** What the governor did and what it cost. */
export interface GovernorFigures {
  readonly samples: number;
  /** CPU time of the sampling thread; 0 where a timer samples. */
  readonly cpuUs: number;
  /** Milliseconds to the next sample. */
  readonly periodMs: number;
  /** Times that storage was asked to give bytes back, and what came of it. */
  readonly evictions: number;
  readonly freedBytes: number;
  /** Times that free heap pages and library code were given back. */
  readonly trims: number;
  readonly spills: number;
  /** Caches are refused more once the ledger holds this much; `Infinity` while no plan holds. */
  readonly storageCeilingBytes: number;
}

/**
 * Watches memory and gives storage back before the kernel or the budget is met. One for the process; the
 * addon's runs on a thread of its own and acts while JavaScript is blocked (capability `governor`), the JavaScript
 * one on a timer, one for each thread.
 *
 * While a plan holds, the ledger's host has the budget as its limit, and the account `unmanaged` holds what is used
 * beyond the accounts, so that what the ledger still grants is the headroom.
 */
export interface Governor {
  /**
   * Makes `plan` hold for the process, measures, and samples from then on; undefined takes it back (the host is
   * unlimited again, nothing is booked as unmanaged). A plan also ends with the environment that made it.
   */
  configure(plan: GovernorPlan | undefined): void;
  /** The signals in words: what is read, from where, and what was refused and why. */
  sources(): string[];
  /** Reads every signal now and books the rest. Without a plan the whole limit is the budget and nothing is booked. */
  measure(): PressureReading;
  /**
   * Like `measure`, at a fraction of its cost: what decides nothing at present (a far limit, stalls, the groups this
   * process is in) may have been read up to a second ago. For decisions that are made for each file.
   */
  look(): PressureReading;
  /** Counts the resident memory of a child process, until it ends. */
  includeChild(pid: number): void;
  excludeChild(pid: number): void;
  /**
   * Calls `listener` with every event, after the fact, on this thread; samples from then on. One listener an
   * environment: a later one takes its place. Does not keep the process alive.
   */
  start(listener: (event: PressureEvent) => void): void;
  stop(): void;
  history(): PressureHistory;
  /** Frees storage now, on the calling thread, for a reservation that does not fit; returns the bytes freed. */
  reclaim(bytes: number): number;
  figures(): GovernorFigures;
}
