// One budget over everything a job holds: its bounds, its figures, and the door to it.
import {
  type AccountFigures,
  type AccountId,
  HIGH,
  type Ledger,
  type PressureReading,
} from '../contract/index.js';
import { native } from '../native/load.js';
import { SpillwayError } from '../util/errors.js';
import { formatSize, parseSize, type Size } from '../util/sizes.js';
import { Admission, type ReserveOptions } from './admission.js';
import { onGovernorEvent } from './governor-events.js';
import { levelName, type PressureLevel } from './levels.js';
import { type Optimised, optimise, type WorkSize } from './optimise.js';
import { type BudgetChoice, budgetBounds } from './presets.js';
import { type Recommendation, recommend } from './recommend.js';
import type { Reservation } from './reservation.js';
import { type MemorySnapshot, snapshotOf } from './snapshot.js';

/**
 * Of a budget that bounds resident memory, so much is granted: what libraries keep grows between two measurements.
 * 30 large photos under 130 MB reached 124 to 129 MB with this.
 */
const GRANTED_OF_A_SIZE = 0.95;
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
  readonly #admission: Admission;
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
    this.#admission = new Admission({
      account: (name) => this.account(name),
      limit: () => this.#limit,
      capacity: () => this.capacity,
      room: () => this.#limit - this.#ledger.held(this.#parent),
      exceeded: (stage, wanted, room) => this.#exceeded(stage, wanted, room),
    });
    this.#forget = onGovernorEvent(({ kind, level, bytes: wanted }) => {
      if (kind === 'spill') for (const spill of this.#spillers) spill(wanted);
      this.#admission.notice(level >= HIGH);
    });
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
  async reserve(stage: string, size: Size, options: ReserveOptions = {}): Promise<Reservation> {
    return this.#admission.reserve(stage, parseSize(size, 'size'), options);
  }

  /** Sets `size` aside if it fits now and nobody waits; else undefined. `exact`: as for `reserve`. */
  tryReserve(stage: string, size: Size, exact = false): Reservation | undefined {
    return this.#admission.tryReserve(stage, parseSize(size, 'size'), exact);
  }

  /**
   * Grants nobody anything until it is disposed of: for work that charges the ledger itself, was refused, and finds
   * room once what is in flight has ended.
   */
  holdBack(): Disposable {
    return this.#admission.holdBack();
  }

  /** The most that could ever be reserved: the budget less what was there from the start and what stays. */
  get capacity(): number {
    const { baseBytes, unmanagedBytes } = this.measure();
    const host = this.#ledger.snapshot()[0] as AccountFigures;
    return this.#limit - (baseBytes + host.bytes - unmanagedBytes - this.#admission.exactBytes);
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
    return levelName(this.#governor.look().level);
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
    this.#forget();
    this.#admission.close();
    if (this.#isRoot) this.#governor.configure(undefined);
    else this.#ledger.setLimit(this.#parent, Number.POSITIVE_INFINITY);
  }

  #exceeded(stage: string, bytes: number, room: number): SpillwayError {
    return new SpillwayError(
      'ERR_BUDGET_EXCEEDED',
      `expected at most ${formatSize(Math.max(0, room))} for ${stage}, which is what a budget of ${formatSize(this.budget)} leaves, but it needs ${formatSize(bytes)}`,
    );
  }
}

let serial = 1;
