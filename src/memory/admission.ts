// Who is granted memory, who waits for it, and who is refused.
import type { AccountId, Governor, Ledger } from '../contract/index.js';
import { native } from '../native/load.js';
import { SpillwayError } from '../util/errors.js';
import { FairQueue, type Waiting } from './fair-queue.js';
import { collectGarbage } from './garbage.js';
import { Relief } from './relief.js';
import { Reservation } from './reservation.js';

export interface ReserveOptions {
  readonly signal?: AbortSignal;
  /**
   * The bytes are allocated as soon as they are granted, all of them: what else is in use can then be told apart.
   * Otherwise they are an estimate, which is taken to err on the high side. Default false.
   */
  readonly exact?: boolean;
}

/** Whose budget it is. */
export interface Budgeted {
  account(name: string): AccountId;
  /** What is granted at most, what of it could ever be, and what is free now; bytes. */
  limit(): number;
  capacity(): number;
  room(): number;
  /** The error of who is refused for want of more than `room`. */
  exceeded(stage: string, bytes: number, room: number): SpillwayError;
}

interface Waiter extends Waiting {
  readonly exact: boolean;
  readonly resolve: (reservation: Reservation) => void;
  readonly reject: (reason: unknown) => void;
  /** Times on end that memory was given back for it and no more of it became free. */
  fruitless: number;
  /** The most that was free for it, bytes. */
  room: number;
}

/** Native memory changes without telling JavaScript: while someone waits it is measured this often. */
const RECHECK_MS = 20;
/** What a collection frees is freed by other threads, soon after: one trim comes too early for some of it. */
const FRUITLESS = 4;
/** Bytes by which the room must have grown to count: less is noise. */
const GAIN = 2 ** 18;
/** Of the budget: dead buffers worth a collection, which takes some milliseconds where budgets are small. */
const DEAD_SHARE = 0.04;
/** A full collection stops this thread, so on a high level it does not come more often than this. */
const RELIEVE_MS = 1000;

/** Grants reservations of one budget. */
export class Admission {
  readonly #of: Budgeted;
  readonly #ledger: Ledger = native().ledger;
  readonly #governor: Governor = native().governor;
  readonly #queue = new FairQueue<Waiter>();
  readonly #relief = new Relief();
  #live = 0;
  #heldBack = 0;
  #exactBytes = 0;
  /** Given back since garbage was last collected for it. */
  #deadBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(of: Budgeted) {
    this.#of = of;
  }

  /** Held by reservations that are booked as exact: it will be given back. */
  get exactBytes(): number {
    return this.#exactBytes;
  }

  /** A reservation of `bytes`, once they fit; see `MemoryManager.reserve`. */
  async reserve(
    stage: string,
    bytes: number,
    { signal, exact = false }: ReserveOptions,
  ): Promise<Reservation> {
    signal?.throwIfAborted();
    const taken = this.tryReserve(stage, bytes, exact);
    if (taken) return taken;
    const capacity = this.#of.capacity();
    if (bytes > capacity) throw this.#of.exceeded(stage, bytes, capacity);
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
        fruitless: 0,
        room: Number.NEGATIVE_INFINITY,
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(waiter);
      this.#serve();
    });
  }

  /** A reservation of `bytes` if they fit now and nobody waits. */
  tryReserve(stage: string, bytes: number, exact: boolean): Reservation | undefined {
    if (this.#closed) throw closedError();
    if (this.#queue.length > 0 || this.#heldBack > 0) return undefined;
    this.#governor.look();
    return this.#take(stage, bytes, exact);
  }

  /** Grants nobody anything until it is disposed of. */
  holdBack(): Disposable {
    this.#heldBack++;
    return {
      [Symbol.dispose]: () => {
        this.#heldBack--;
        this.#serve();
      },
    };
  }

  /** Something has changed; `high`: memory is short, and what is held without need goes. */
  notice(high: boolean): void {
    if (high && !this.#closed && this.#relief.age > RELIEVE_MS) this.#relief.begin(() => this.#serve());
    this.#serve();
  }

  /** Refuses everybody who waits, and whoever comes. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { reject } of this.#queue.drain()) reject(closedError());
  }

  #take(stage: string, bytes: number, exact: boolean): Reservation | undefined {
    const ledger = this.#ledger;
    let name = stage;
    let account = this.#of.account(stage);
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
        const next = this.#of.account(target);
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

  /** Caches give way to work: what is missing is evicted, if they have it. */
  #chargeFromStorage(account: AccountId, bytes: number, exact: boolean): boolean {
    const missing = this.#ledger.held(0) + bytes - this.#ledger.limit(0);
    if (missing <= 0 || this.#governor.reclaim(missing) < missing) return false;
    this.#governor.measure();
    return this.#charge(account, bytes, exact);
  }

  /** Buffers that were given up hold their memory until they are collected, for which V8 alone waits for tens of MB. */
  #noteDead(bytes: number): void {
    this.#deadBytes += bytes;
    if (this.#deadBytes < this.#of.limit() * DEAD_SHARE) return;
    this.#deadBytes = 0;
    // When whoever gave them up has returned.
    setImmediate(collectGarbage);
  }

  /** Serves who waits; one that an idle job cannot serve, and for which no more can be freed, is refused. */
  #serve(): void {
    clearTimeout(this.#timer);
    while (this.#queue.length > 0 && this.#heldBack === 0 && !this.#closed) {
      this.#governor.measure();
      const candidates = this.#queue.candidates(performance.now());
      const [first] = candidates;
      if (!first) return;
      if (candidates.some((waiter) => this.#give(waiter))) continue;
      if (this.#live > 0 || first.fruitless < FRUITLESS) {
        if (first.room === Number.NEGATIVE_INFINITY || this.#live === 0) this.#relieve(first);
        this.#timer = setTimeout(() => this.#serve(), RECHECK_MS);
        return;
      }
      this.#queue.remove(first);
      first.reject(this.#of.exceeded(first.stage, first.bytes, this.#of.room()));
    }
  }

  #give(waiter: Waiter): boolean {
    const taken = this.#take(waiter.stage, waiter.bytes, waiter.exact);
    if (!taken) return false;
    this.#queue.remove(waiter);
    waiter.resolve(taken);
    return true;
  }

  #relieve(waiter: Waiter): void {
    this.#relief.begin(() => {
      this.#governor.measure();
      const room = this.#of.room();
      waiter.fruitless = room > waiter.room + GAIN ? 0 : waiter.fruitless + 1;
      waiter.room = Math.max(waiter.room, room);
      this.#serve();
    });
  }
}

function closedError(): SpillwayError {
  return new SpillwayError('ERR_CLOSED', 'this memory manager has been disposed');
}
