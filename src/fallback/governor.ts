// The governor of memory pressure in JavaScript: native/memory/governor on a timer. It samples and frees only while
// this thread is free, which is why the capability is the addon's. Without /proc it judges by the resident memory that
// Node measures against the budget, and by the memory of the machine.
import {
  type Governor,
  type GovernorPlan,
  HIGH,
  type PressureDegree,
  type PressureEvent,
  type PressureReading,
} from '../contract/index.js';
import { invalidArgument } from '../util/errors.js';
import { formatSize } from '../util/sizes.js';
import { Booking } from './governor-booking.js';
import type { StorageLedger } from './ledger.js';
import { MemorySignals } from './memory-signals.js';
import { bytesToCalm, describePressure, nextLevel, requirePlan, WHOLE } from './pressure.js';
import { History } from './pressure-history.js';
import { Pace } from './pressure-pace.js';

/** Gives about `bytes` back and returns how many were. */
export type Shrink = (bytes: number) => number;

const GAP_MS = 400;
const SPILL_EVERY_MS = 200;

/** The governor of one thread, and where its caches register what they can give. */
export class TimedGovernor implements Governor {
  readonly #ledger: StorageLedger;
  readonly #booking: Booking;
  readonly #shrinks: Shrink[] = [];
  readonly #history = new History();
  readonly #pace = new Pace();
  readonly #figures = { samples: 0, periodMs: 0, evictions: 0, freedBytes: 0, trims: 0, spills: 0 };
  #signals: MemorySignals | undefined;
  #plan: GovernorPlan = WHOLE;
  #holds = false;
  #listener: ((event: PressureEvent) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: PressureReading | undefined;
  /** No level yet under this plan. */
  #fresh = true;
  #bySize = false;
  #sampledAt = 0;
  #spilledAt = Number.NEGATIVE_INFINITY;

  constructor(ledger: StorageLedger) {
    this.#ledger = ledger;
    this.#booking = new Booking(ledger);
  }

  /** For good. */
  addReclaimable(shrink: Shrink): void {
    this.#shrinks.push(shrink);
  }

  configure(plan: GovernorPlan | undefined): void {
    if (plan) requirePlan(plan);
    if (this.#holds) this.#booking.end();
    this.#holds = plan !== undefined;
    const children = this.#signals?.children;
    this.#plan = plan ?? WHOLE;
    this.#signals = new MemorySignals(this.#plan.proc, this.#plan.cgroup, children);
    this.#fresh = true;
    if (plan) {
      this.#booking.begin(this.#observe());
      this.measure();
    }
    this.#schedule();
  }

  sources(): string[] {
    return this.#open().describe();
  }

  measure(): PressureReading {
    const level = this.#reading?.level ?? 0;
    const seen = this.#observe();
    this.#figures.samples++;
    if (this.#holds) this.#booking.book(seen);
    const reading = {
      ...seen,
      unmanagedBytes: this.#holds ? this.#booking.unmanaged : 0,
      baseBytes: this.#holds ? this.#booking.base : 0,
      level: nextLevel(this.#fresh ? 0 : level, seen.usedShare),
    };
    this.#fresh = false;
    this.#reading = reading;
    this.#history.add(reading);
    for (const change of this.#open().takeChanges()) this.#publish('signal', reading.level, change);
    if (reading.level !== level) this.#publish('level', level, describePressure(reading, this.#bySize));
    return reading;
  }

  /** Everything: to read it all is what this one always does. */
  look(): PressureReading {
    return this.measure();
  }

  includeChild(pid: number): void {
    if (!Number.isInteger(pid) || pid <= 0) throw invalidArgument('pid', 'the number of a process', pid);
    this.#open().children.add(pid);
  }

  excludeChild(pid: number): void {
    this.#open().children.delete(pid);
  }

  start(listener: (event: PressureEvent) => void): void {
    this.#listener = listener;
    this.#schedule();
  }

  stop(): void {
    this.#listener = undefined;
    this.#schedule();
  }

  history() {
    return this.#history.read();
  }

  reclaim(bytes: number): number {
    if (!(bytes >= 0)) throw invalidArgument('bytes', 'a number of bytes of at least 0', bytes);
    let sum = 0;
    for (const shrink of this.#shrinks) {
      if (sum >= bytes) break;
      const freed = shrink(bytes - sum);
      if (freed === 0) continue;
      sum += freed;
      const reading = this.measure();
      // What has been freed must not be taken again by the next cache that is filled.
      if (this.#holds) this.#booking.holdStorage();
      this.#figures.evictions++;
      this.#figures.freedBytes += freed;
      const reason = `caches gave ${formatSize(freed)} back: ${describePressure(reading, this.#bySize)}`;
      this.#publish('freed', reading.level, reason, freed, 'caches');
    }
    return sum;
  }

  figures() {
    return { ...this.#figures, cpuUs: 0, storageCeilingBytes: this.#ledger.storageCeiling() };
  }

  #open(): MemorySignals {
    this.#signals ??= new MemorySignals(this.#plan.proc, this.#plan.cgroup);
    return this.#signals;
  }

  /** Reads every signal. */
  #observe() {
    const seen = this.#open().observe(this.#plan.limitShare);
    const { resident: residentBytes, children: childrenBytes, nearest, limitHeadroom, stalledUs } = seen;
    const bySize = this.#plan.residentBytes - residentBytes - childrenBytes;
    this.#bySize = bySize <= limitHeadroom;
    const budgetBytes = Math.max(1, Math.min(this.#plan.residentBytes, seen.limitBudget));
    const headroomBytes = Math.min(bySize, limitHeadroom);
    return {
      at: performance.timeOrigin + performance.now(),
      residentBytes,
      childrenBytes,
      limitBytes: nearest.bytes,
      workingSetBytes: nearest.workingSet,
      budgetBytes,
      headroomBytes,
      usedShare: (budgetBytes - headroomBytes) / budgetBytes,
      stalledUs,
      source: nearest.source,
    };
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sampledAt = performance.now();
    if (this.#holds || this.#listener) this.#next(0);
  }

  #next(periodMs: number): void {
    this.#figures.periodMs = periodMs;
    this.#timer = setTimeout(() => this.#tick(), periodMs);
    this.#timer.unref();
  }

  #tick(): void {
    const now = performance.now();
    const since = now - this.#sampledAt;
    this.#sampledAt = now;
    const level = this.#reading?.level ?? 0;
    if (this.#holds && level === 0) this.#booking.letStorageGrow(Math.min(1, since / 1e3));
    const reading = this.measure();
    if (since > this.#figures.periodMs + GAP_MS)
      this.#publish(
        'signal',
        reading.level,
        `no sample was taken for ${Math.round(since)} ms: this process was stopped, or JavaScript was busy`,
      );
    const freed = reading.level >= HIGH && this.#act(now, reading);
    // A listener may have ended it.
    if (this.#holds || this.#listener) this.#next(this.#pace.next(this.#reading ?? reading, since, freed));
  }

  /** True where storage was freed. */
  #act(now: number, reading: PressureReading): boolean {
    const wanted = bytesToCalm(reading);
    const freed = this.reclaim(wanted);
    const left = this.#reading ?? reading;
    const bytes = bytesToCalm(left);
    // Where storage gave all that it was asked for there may be more of it.
    if (left.level < HIGH || bytes === 0 || freed >= wanted) return freed > 0;
    if (now - this.#spilledAt < SPILL_EVERY_MS) return freed > 0;
    this.#spilledAt = now;
    this.#figures.spills++;
    const reason = `${formatSize(bytes)} more should be freed: ${describePressure(left, this.#bySize)}`;
    this.#publish('spill', left.level, reason, bytes);
    return freed > 0;
  }

  #publish(
    kind: PressureEvent['kind'],
    previous: PressureDegree,
    reason: string,
    bytes = 0,
    account = '',
  ): void {
    const reading = this.#reading;
    const listener = this.#listener;
    if (!reading || !listener) return;
    const event = { kind, level: reading.level, previous, reading, reason, bytes, account };
    setImmediate(() => this.#listener === listener && listener(event)).unref();
  }
}
