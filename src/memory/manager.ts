// One budget over everything a job holds: who asks, waits or is refused.
import type { AccountFigures, AccountId, Ledger, PressureEvent, PressureReading } from '../contract/index.js';
import { native } from '../native/load.js';
import { SpillwayError } from '../util/errors.js';
import { formatSize, parseSize, type Size } from '../util/sizes.js';
import { FairQueue, type Waiting } from './fair-queue.js';
import { collectGarbage } from './garbage.js';
import { onGovernorEvent } from './governor-events.js';
import { HIGH, levelName, type PressureLevel } from './levels.js';
import { type Optimised, optimise, type WorkSize } from './optimise.js';
import { type BudgetChoice, budgetBounds } from './presets.js';
import { type Recommendation, recommend } from './recommend.js';
import { Reservation } from './reservation.js';
import { type MemorySnapshot, snapshotOf } from './snapshot.js';

export interface ReserveOptions {
  readonly signal?: AbortSignal;
  /**
   * The bytes are allocated as soon as they are granted, all of them: what else is in use can then be told apart.
   * Otherwise they are an estimate, which is taken to err on the high side. Default false.
   */
  readonly exact?: boolean;
}

interface Waiter extends Waiting {
  readonly exact: boolean;
  readonly resolve: (reservation: Reservation) => void;
  readonly reject: (reason: unknown) => void;
  /** Times that memory was given back for it. */
  reliefs: number;
}

/** Native memory changes without telling JavaScript: while someone waits it is measured this often. */
const RECHECK_MS = 20;
/** What a collection frees is freed by other threads, soon after: one trim comes too early for some of it. */
const RELIEFS = 4;
/**
 * Of a budget that bounds resident memory, so much is granted: what libraries keep grows between two measurements.
 * 30 large photos under 130 MB reached 124 to 129 MB with this.
 */
const GRANTED_OF_A_SIZE = 0.95;
/** Of the budget: dead buffers worth a collection, which takes some milliseconds where budgets are small. */
const DEAD_SHARE = 0.04;
/** Their code and constants are read again from the page cache where they are needed. */
const LIBRARIES = ['libvips', 'libonnxruntime.so'];
/** A full collection stops this thread, so not more often than this. */
const COLLECT_MS = 1000;

/**
 * Holds one budget. The first manager of a process sets the root budget, which every charge in the process
 * counts against; a later one is a child of it and may not be larger (`ERR_BUDGET_CONFLICT`).
 */
export class MemoryManager implements Disposable {
  readonly #ledger: Ledger = native().ledger;
  readonly #governor = native().governor;
  readonly #isRoot: boolean;
  readonly #parent: AccountId;
  readonly #granted: number;
  readonly #forget: () => void;
  readonly #spillers = new Set<(bytes: number) => void>();
  readonly #queue = new FairQueue<Waiter>();
  #live = 0;
  #heldBack = 0;
  /** Of reservations that are booked as exact, and yet will be given back. */
  #exactBytes = 0;
  /** Given back since garbage was last collected for it. */
  #deadBytes = 0;
  #relieving: Promise<void> | undefined;
  #relievedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * `budget`: bytes or `'2GB'` bound the resident memory of this process and its children, and the limit that binds
   * (cgroup or machine) is kept as well; a share of that limit, `'75%'` unless told, bounds the working set under it.
   * `preset` stands for one of them. Throws `ERR_INVALID_ARGUMENT`.
   */
  constructor(options: BudgetChoice = {}) {
    const { limitBytes } = this.#governor.measure();
    const { residentBytes, limitShare } = budgetBounds(options, limitBytes);
    this.#granted = Number.isFinite(residentBytes) ? GRANTED_OF_A_SIZE : 1;
    const most = Math.floor(residentBytes * this.#granted);
    const bytes = Math.min(most, Math.floor(limitShare * limitBytes));
    const root = this.#ledger.limit(0);
    this.#isRoot = root === Number.POSITIVE_INFINITY;
    if (this.#isRoot) {
      native().limitArenas?.();
      this.#governor.configure({
        residentBytes: most,
        limitShare,
        proc: '/proc',
        cgroup: '/sys/fs/cgroup',
      });
      this.#parent = 0;
    } else {
      if (bytes > root)
        throw new SpillwayError(
          'ERR_BUDGET_CONFLICT',
          `expected a budget of at most ${formatSize(root / this.#granted)}, the root budget of this process, but received ${formatSize(bytes / this.#granted)}`,
        );
      this.#parent = this.#ledger.account(`manager-${serial++}`, 0);
      this.#ledger.setLimit(this.#parent, bytes);
    }
    this.#forget = onGovernorEvent((event) => this.#onEvent(event));
    this.measure();
  }

  /** Bytes; a share of the limit follows the limit. */
  get budget(): number {
    return Math.round(this.#limit / this.#granted);
  }

  /** Bytes that are granted at most. */
  get #limit(): number {
    return this.#ledger.limit(this.#parent);
  }

  /** Calls `spill` with the bytes that are wanted back when nothing else is left to free; returns the undo. */
  onSpill(spill: (bytes: number) => void): () => void {
    this.#spillers.add(spill);
    return () => this.#spillers.delete(spill);
  }

  /** The number of an account of this manager, for parts that charge exact bytes themselves. */
  account(name: string): AccountId {
    return this.#ledger.account(name, this.#parent);
  }

  /**
   * Sets `size` aside for a stage, waiting until it fits: stages take turns by what they hold for their weight, each
   * serves in order of asking, and caches give way. Rejects with `ERR_BUDGET_EXCEEDED` at once when it can never fit,
   * and with `signal.reason` on abort.
   */
  async reserve(
    stage: string,
    size: Size,
    { signal, exact = false }: ReserveOptions = {},
  ): Promise<Reservation> {
    signal?.throwIfAborted();
    const taken = this.tryReserve(stage, size, exact);
    if (taken) return taken;
    const bytes = parseSize(size, 'size');
    if (bytes > this.capacity) throw this.#exceeded(stage, bytes, this.capacity);
    return new Promise<Reservation>((resolve, reject) => {
      const onAbort = () => {
        this.#queue.remove(waiter);
        reject(signal?.reason);
        this.#serve();
      };
      const settling =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          signal?.removeEventListener('abort', onAbort);
          settle(value);
        };
      const waiter: Waiter = {
        stage,
        bytes,
        exact,
        since: performance.now(),
        resolve: settling(resolve),
        reject: settling(reject),
        reliefs: 0,
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(waiter);
      this.#serve();
    });
  }

  /** Sets `size` aside if it fits now and nobody waits; else undefined. `exact`: as for `reserve`. */
  tryReserve(stage: string, size: Size, exact = false): Reservation | undefined {
    if (this.#closed) throw new SpillwayError('ERR_CLOSED', 'this memory manager has been disposed');
    if (this.#queue.length > 0 || this.#heldBack > 0) return undefined;
    this.measure();
    return this.#take(stage, parseSize(size, 'size'), exact);
  }

  /**
   * Grants nobody anything until it is disposed of: for work that charges the ledger itself, was refused, and finds
   * room once what is in flight has ended.
   */
  holdBack(): Disposable {
    this.#heldBack++;
    return {
      [Symbol.dispose]: () => {
        this.#heldBack--;
        this.#serve();
      },
    };
  }

  /** The most that could ever be reserved: the budget less what was there from the start and what stays. */
  get capacity(): number {
    const { baseBytes, unmanagedBytes } = this.measure();
    const host = this.#ledger.snapshot()[0] as AccountFigures;
    return this.#limit - (baseBytes + host.bytes - unmanagedBytes - this.#exactBytes);
  }

  /** Throws `ERR_BUDGET_EXCEEDED`, with the least budget that would do, where `bytes` more could never be had. */
  require(purpose: string, bytes: number): void {
    if (bytes <= this.capacity) return;
    const least = Math.ceil((this.#limit - this.capacity + bytes) / this.#granted / 1e6) * 1e6;
    throw new SpillwayError(
      'ERR_BUDGET_EXCEEDED',
      `expected a budget of at least ${formatSize(least)} for ${purpose} but received ${formatSize(this.budget)}`,
    );
  }

  /** Reads the memory in use and books what no account explains as `unmanaged`. */
  measure(): PressureReading {
    return this.#governor.measure();
  }

  /** What is held and by whom, as of now. */
  snapshot(): MemorySnapshot {
    return snapshotOf(this.measure(), this.#ledger, this.budget);
  }

  /** How full the budget is by what is really used. */
  get level(): PressureLevel {
    return levelName(this.measure().level);
  }

  /** Files to prepare at once and items to give a model at once, with the reason, for what is free now. */
  optimise(work: WorkSize): Optimised {
    return optimise(work, { headroomBytes: this.measure().headroomBytes, cores: native().cores() });
  }

  /** What to change, in plain words, the most pressing first; empty where nothing is to be done. */
  recommendations(): Recommendation[] {
    const { heapTotal } = process.memoryUsage();
    return recommend({ ...this.snapshot(), heapBytes: heapTotal }, this.#governor.history());
  }

  /** Refuses everybody who waits and gives the budget back; reservations still held stay valid. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#forget();
    for (const { reject } of this.#queue.drain())
      reject(new SpillwayError('ERR_CLOSED', 'this memory manager has been disposed'));
    if (this.#isRoot) this.#governor.configure(undefined);
    else this.#ledger.setLimit(this.#parent, Number.POSITIVE_INFINITY);
  }

  #take(stage: string, bytes: number, exact: boolean): Reservation | undefined {
    const ledger = this.#ledger;
    let name = stage;
    let account = this.account(stage);
    if (!this.#charge(account, bytes, exact) && !this.#chargeFromStorage(account, bytes, exact))
      return undefined;
    const hold = (change: number) => {
      this.#queue.hold(name, change);
      if (exact) this.#exactBytes += change;
    };
    this.#live++;
    hold(bytes);
    return new Reservation(bytes, {
      giveBack: (freed, last) => {
        if (exact) {
          ledger.credit(account, freed);
          this.#noteDead(freed);
        } else ledger.unreserve(account, freed);
        hold(-freed);
        if (last) this.#live--;
        this.#serve();
      },
      move: (target, left) => {
        const next = this.account(target);
        if (exact) {
          ledger.overdraw(next, left);
          ledger.credit(account, left);
        } else ledger.transfer(account, next, left);
        hold(-left);
        name = target;
        account = next;
        hold(left);
      },
    });
  }

  #charge(account: AccountId, bytes: number, exact: boolean): boolean {
    return exact ? this.#ledger.charge(account, bytes) : this.#ledger.reserve(account, bytes);
  }

  /** Buffers that were given up hold their memory until they are collected, for which V8 alone waits for tens of MB. */
  #noteDead(bytes: number): void {
    this.#deadBytes += bytes;
    if (this.#deadBytes < this.budget * DEAD_SHARE) return;
    this.#deadBytes = 0;
    // When whoever gave them up has returned.
    setImmediate(collectGarbage);
  }

  /** Caches give way to work: what is missing is evicted, if they have it. */
  #chargeFromStorage(account: AccountId, bytes: number, exact: boolean): boolean {
    const missing = this.#ledger.held(0) + bytes - this.#ledger.limit(0);
    if (missing <= 0 || this.#governor.reclaim(missing) < missing) return false;
    this.measure();
    return this.#charge(account, bytes, exact);
  }

  /** Serves who waits; one that cannot be served even by an idle job is refused. */
  #serve(): void {
    clearTimeout(this.#timer);
    while (this.#queue.length > 0 && this.#heldBack === 0 && !this.#closed) {
      this.measure();
      const candidates = this.#queue.candidates(performance.now());
      const [first] = candidates;
      if (!first) return;
      if (candidates.some((waiter) => this.#give(waiter))) continue;
      if (this.#live > 0 || first.reliefs < RELIEFS) {
        if (first.reliefs === 0 || this.#live === 0) this.#relieve(first);
        this.#timer = setTimeout(() => this.#serve(), RECHECK_MS);
        return;
      }
      this.#queue.remove(first);
      first.reject(this.#exceeded(first.stage, first.bytes, this.#limit - this.#ledger.held(this.#parent)));
    }
  }

  #give(waiter: Waiter): boolean {
    const taken = this.#take(waiter.stage, waiter.bytes, waiter.exact);
    if (!taken) return false;
    this.#queue.remove(waiter);
    waiter.resolve(taken);
    return true;
  }

  #onEvent({ kind, level, bytes }: PressureEvent): void {
    if (kind === 'spill') for (const spill of this.#spillers) spill(bytes);
    if (level >= HIGH && performance.now() - this.#relievedAt > COLLECT_MS) this.#relieve();
    this.#serve();
  }

  /** Collects garbage, whose buffers hold memory, and returns free pages of the heap and pages of libraries. */
  #relieve(waiter?: Waiter): void {
    if (this.#relieving || this.#closed) return;
    this.#relievedAt = performance.now();
    collectGarbage();
    this.#relieving = (native().trim?.() ?? Promise.resolve()).then(() => {
      for (const library of LIBRARIES) native().dropLibraryPages?.(library);
      if (waiter) waiter.reliefs++;
      this.#relieving = undefined;
      this.#serve();
    });
  }

  #exceeded(stage: string, bytes: number, room: number): SpillwayError {
    return new SpillwayError(
      'ERR_BUDGET_EXCEEDED',
      `expected at most ${formatSize(Math.max(0, room))} for ${stage}, which is what a budget of ${formatSize(this.budget)} leaves, but it needs ${formatSize(bytes)}`,
    );
  }
}

let serial = 1;
