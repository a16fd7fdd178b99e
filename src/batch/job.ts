// One submitted item: where it stands while it waits, and how it ends.
import { SpillwayError } from '../util/errors.js';
import type { Waiting } from './backlog.js';
import type { Item } from './rows.js';

/** What is known of an item when it comes. */
export interface JobPlan extends Waiting {
  readonly item: Item;
  /** Tokens. */
  readonly length: number;
  readonly priority: number;
  /** `performance.now()` of its submission. */
  readonly since: number;
  /** When it is too late to begin, by the same clock; `Infinity`: never. */
  readonly deadlineAt: number;
  readonly signal: AbortSignal | undefined;
}

/** The batcher, as its jobs see it; one for all of them. */
export interface JobKeeper {
  /** Takes a job out of the waiting line; false where it is not in there any more. */
  leave(job: Job): boolean;
  /** Told of every job that was not begun in time. */
  expired(): void;
}

/** The longest that a timer of Node can be set to. */
export const MOST_TIMER_MS = 2 ** 31 - 1;

/** Settles once; what comes later is dropped. */
export class Job implements Waiting {
  readonly item: Item;
  readonly length: number;
  readonly priority: number;
  readonly lane: string;
  readonly due: number;
  readonly serial: number;
  readonly since: number;
  readonly deadlineAt: number;
  readonly outputs: Promise<Item>;
  /** Called when the submitter gave it up while it ran. */
  abandoned: (() => void) | undefined;
  readonly #keeper: JobKeeper;
  #resolve!: (outputs: Item) => void;
  #reject!: (reason: unknown) => void;
  #settled = false;
  /** Undefined where nothing but a run can end it. */
  #forget: (() => void) | undefined;

  constructor(
    { item, length, priority, lane, due, serial, since, deadlineAt, signal }: JobPlan,
    keeper: JobKeeper,
  ) {
    this.item = item;
    this.length = length;
    this.priority = priority;
    this.lane = lane;
    this.due = due;
    this.serial = serial;
    this.since = since;
    this.deadlineAt = deadlineAt;
    this.#keeper = keeper;
    this.outputs = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (signal || deadlineAt < Number.POSITIVE_INFINITY) this.#forget = this.#watch(signal);
  }

  get settled(): boolean {
    return this.#settled;
  }

  resolve(outputs: Item): void {
    this.#resolve(outputs);
    this.#end();
  }

  reject(reason: unknown): void {
    this.#reject(reason);
    this.#end();
  }

  /** Rejects it with `ERR_DEADLINE`. */
  expire(): void {
    this.#keeper.expired();
    const after = Math.round(this.deadlineAt - this.since);
    this.reject(
      new SpillwayError('ERR_DEADLINE', `expected the item to begin within ${after} ms but it still waited`),
    );
  }

  /** Ends it with its signal or its deadline; returns what takes both back. */
  #watch(signal: AbortSignal | undefined): () => void {
    const onAbort = () => {
      this.#keeper.leave(this);
      this.reject(signal?.reason);
      this.abandoned?.();
    };
    // One that runs already comes through, however late.
    const onDeadline = () => {
      if (this.#keeper.leave(this)) this.expire();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const ms = this.deadlineAt - this.since;
    // A later one is looked at only when its turn comes.
    const timer = ms <= MOST_TIMER_MS ? setTimeout(onDeadline, ms) : undefined;
    return () => {
      signal?.removeEventListener('abort', onAbort);
      clearTimeout(timer);
    };
  }

  #end(): void {
    this.#settled = true;
    this.#forget?.();
  }
}

/**
 * One of nobody, which stays: V8 discards what it compiled for objects of a kind of which a collection finds none, so
 * that after each pause all jobs would be slow again. Its fields are in the order, and hold the kinds of values, of any
 * other's.
 */
const NOBODYS: JobPlan = {
  item: {},
  length: 1,
  lane: '',
  priority: 0,
  due: performance.now(),
  serial: 0,
  since: performance.now(),
  deadlineAt: Number.POSITIVE_INFINITY,
  signal: undefined,
};

export const kept = new Job(NOBODYS, { leave: () => false, expired: () => undefined });
