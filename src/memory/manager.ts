// One budget over everything a job holds: who asks, waits or is refused.
import type { AccountFigures, AccountId, Ledger } from '../contract/index.js';
import { native } from '../native/load.js';
import { invalidArgument, SpillwayError } from '../util/errors.js';
import { formatSize, isShare, parseSize, parseSizeOrShare, type Size } from '../util/sizes.js';
import { collectGarbage } from './garbage.js';
import { findMemoryLimit, type MemoryLimit } from './limit.js';
import { Reservation } from './reservation.js';
import { UNMANAGED, Usage } from './usage.js';

export interface MemoryOptions {
  /**
   * An explicit size bounds the resident memory of this process and its children; a share, `'75%'` unless told,
   * bounds the working set under the limit that binds (cgroup or machine).
   */
  readonly budget?: Size;
}

/** `NORMAL` below 70 % of the budget, `ELEVATED` below 85 %, `HIGH` below 95 %, else `CRITICAL`. */
export type PressureLevel = 'NORMAL' | 'ELEVATED' | 'HIGH' | 'CRITICAL';

/** All figures are bytes. */
export interface MemorySnapshot {
  readonly budget: number;
  /** The limit that binds this process, whatever the budget says. */
  readonly limit: number;
  readonly source: string;
  readonly rss: number;
  readonly workingSet: number;
  /** Sum of all accounts. */
  readonly accounted: number;
  /** What is used beyond the accounts: V8, libraries, others under the same limit. */
  readonly unmanaged: number;
  readonly level: PressureLevel;
  readonly accounts: Readonly<Record<string, Omit<AccountFigures, 'name'>>>;
}

interface Waiter {
  readonly name: string;
  readonly bytes: number;
  /** `performance.now()` when it began to wait. */
  readonly since: number;
  readonly resolve: (reservation: Reservation) => void;
  readonly reject: (reason: unknown) => void;
}

/** Native memory changes without telling JavaScript: while someone waits it is measured this often. */
const RECHECK_MS = 20;

/**
 * Holds one budget. The first manager of a process sets the root budget, which every charge in the process
 * counts against; a later one is a child of it and may not be larger (`ERR_BUDGET_CONFLICT`).
 */
export class MemoryManager implements Disposable {
  /** Bytes. */
  readonly budget: number;
  readonly #ledger: Ledger = native().ledger;
  readonly #limit: MemoryLimit = findMemoryLimit();
  readonly #isRoot: boolean;
  readonly #parent: AccountId;
  readonly #usage: Usage;
  readonly #queue: Waiter[] = [];
  #live = 0;
  #trimming: Promise<void> | undefined;
  /** When the last trim that has ended began. */
  #trimmedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor({ budget = '75%' }: MemoryOptions = {}) {
    this.budget = parseSizeOrShare(budget, this.#limit.limit, 'budget');
    if (this.budget === 0) throw invalidArgument('budget', 'a size above 0', budget);
    const root = this.#ledger.limit(0);
    if (this.budget > root)
      throw new SpillwayError(
        'ERR_BUDGET_CONFLICT',
        `expected a budget of at most ${formatSize(root)}, the root budget of this process, but received ${formatSize(this.budget)}`,
      );
    this.#isRoot = root === Number.POSITIVE_INFINITY;
    this.#parent = this.#isRoot ? 0 : this.#ledger.account(`manager-${serial++}`, 0);
    this.#ledger.setLimit(this.#parent, this.budget);
    native().limitArenas?.();
    this.#usage = new Usage(this.#ledger, this.#limit, !isShare(budget));
    this.measure();
  }

  /** Counts memory of another process of ours (a child) into what is used; returns the undo. */
  include(bytesOf: () => number): () => void {
    return this.#usage.include(bytesOf);
  }

  /** The number of an account of this manager, for parts that charge exact bytes themselves. */
  account(name: string): AccountId {
    return this.#ledger.account(name, this.#parent);
  }

  /**
   * Sets `size` aside, waiting in order of asking until it fits. Rejects with `ERR_BUDGET_EXCEEDED` at once when
   * it can never fit, and with `signal.reason` on abort.
   */
  async reserve(
    account: string,
    size: Size,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<Reservation> {
    signal?.throwIfAborted();
    const taken = this.tryReserve(account, size);
    if (taken) return taken;
    const bytes = parseSize(size, 'size');
    if (bytes > this.capacity) throw this.#exceeded(account, bytes, this.capacity);
    return new Promise<Reservation>((resolve, reject) => {
      const onAbort = () => {
        this.#queue.splice(this.#queue.indexOf(waiter), 1);
        reject(signal?.reason);
        this.#serve();
      };
      const settled = () => signal?.removeEventListener('abort', onAbort);
      const waiter: Waiter = {
        name: account,
        bytes,
        since: performance.now(),
        resolve: (reservation) => {
          settled();
          resolve(reservation);
        },
        reject: (reason) => {
          settled();
          reject(reason);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(waiter);
      this.#serve();
    });
  }

  /** Sets `size` aside if it fits now and nobody waits; else undefined. */
  tryReserve(account: string, size: Size): Reservation | undefined {
    if (this.#closed) throw new SpillwayError('ERR_CLOSED', 'this memory manager has been disposed');
    if (this.#queue.length > 0) return undefined;
    this.measure();
    return this.#take(account, parseSize(size, 'size'));
  }

  /** The most that could ever be reserved: the budget less what was there from the start and what stays. */
  get capacity(): number {
    return this.budget - this.#usage.lasting();
  }

  /** Throws `ERR_BUDGET_EXCEEDED`, with the least budget that would do, where `bytes` more could never be had. */
  require(purpose: string, bytes: number): void {
    if (bytes <= this.capacity) return;
    const least = Math.ceil((this.budget - this.capacity + bytes) / 1e6) * 1e6;
    throw new SpillwayError(
      'ERR_BUDGET_EXCEEDED',
      `expected a budget of at least ${formatSize(least)} for ${purpose} but received ${formatSize(this.budget)}`,
    );
  }

  /** Reads the memory in use and books what no account explains as `unmanaged`. */
  measure(): void {
    this.#usage.measure(this.#live > 0);
  }

  /** What is held and by whom, as of now. */
  snapshot(): MemorySnapshot {
    this.measure();
    const accounts: Record<string, Omit<AccountFigures, 'name'>> = {};
    for (const { name, ...figures } of this.#ledger.snapshot().slice(1))
      if (name !== UNMANAGED) accounts[name] = figures;
    const unmanaged = this.#usage.unmanaged();
    return {
      budget: this.budget,
      limit: this.#limit.limit,
      source: this.#limit.source,
      rss: process.memoryUsage.rss(),
      workingSet: this.#limit.workingSet(),
      accounted: this.#ledger.held(0) - unmanaged,
      unmanaged,
      level: this.level,
      accounts,
    };
  }

  /** How full the budget is by what is really used. */
  get level(): PressureLevel {
    const share = this.#usage.used() / this.budget;
    if (share < 0.7) return 'NORMAL';
    if (share < 0.85) return 'ELEVATED';
    return share < 0.95 ? 'HIGH' : 'CRITICAL';
  }

  /** Refuses everybody who waits and gives the budget back; reservations still held stay valid. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { reject } of this.#queue.splice(0))
      reject(new SpillwayError('ERR_CLOSED', 'this memory manager has been disposed'));
    this.#ledger.setLimit(this.#parent, Number.POSITIVE_INFINITY);
    if (this.#isRoot) this.#usage.clear();
  }

  #take(name: string, bytes: number): Reservation | undefined {
    let account = this.account(name);
    if (!this.#ledger.reserve(account, bytes)) return undefined;
    this.#live++;
    return new Reservation(bytes, {
      giveBack: (freed, last) => {
        this.#ledger.unreserve(account, freed);
        if (last) this.#live--;
        this.#serve();
      },
      move: (target, left) => {
        const next = this.account(target);
        this.#ledger.transfer(account, next, left);
        account = next;
      },
    });
  }

  /** Serves who waits, first come first served; a head that cannot fit even into an idle job is refused. */
  #serve(): void {
    clearTimeout(this.#timer);
    for (let head = this.#queue[0]; head && !this.#closed; head = this.#queue[0]) {
      this.measure();
      const taken = this.#take(head.name, head.bytes);
      const trimmed = this.#trimmedAt > head.since;
      if (!taken && (this.#live > 0 || !trimmed)) {
        if (!trimmed) this.#trim();
        this.#timer = setTimeout(() => this.#serve(), RECHECK_MS);
        return;
      }
      this.#queue.shift();
      if (taken) head.resolve(taken);
      else head.reject(this.#exceeded(head.name, head.bytes, this.budget - this.#ledger.held(0)));
    }
  }

  /** Before anyone waits long or is refused: collects garbage, whose buffers hold memory, and returns free pages. */
  #trim(): void {
    if (this.#trimming) return;
    const since = performance.now();
    collectGarbage();
    this.#trimming = (native().trim?.() ?? Promise.resolve()).then(() => {
      this.#trimmedAt = since;
      this.#trimming = undefined;
      this.#serve();
    });
  }

  #exceeded(account: string, bytes: number, room: number): SpillwayError {
    return new SpillwayError(
      'ERR_BUDGET_EXCEEDED',
      `expected at most ${formatSize(Math.max(0, room))} for ${account}, which is what a budget of ${formatSize(this.budget)} leaves, but it needs ${formatSize(bytes)}`,
    );
  }
}

let serial = 1;
