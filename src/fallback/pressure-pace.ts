// How soon to look again, as native/memory/governor_thread decides it.
import type { PressureReading } from '../contract/index.js';
import { HIGH } from '../contract/index.js';
import { HIGH_BEGINS } from './pressure.js';

const SHORTEST_MS = 5;
const LONGEST_MS = 100;
/** At `HIGH`, while there is nothing to free. */
const NOTHING_LEFT_MS = 20;
const LOOKS = 4;
/** Bytes a millisecond: nobody is expected to allocate faster than 1 GB/s. */
const FASTEST_GROWTH = 1e6;

/** Follows the headroom and how fast it goes. */
export class Pace {
  #usedBefore = 0;
  /** Bytes a millisecond. */
  #growth = 0;

  /** Milliseconds to the next sample; `since` the last one, after which storage was freed or was not. */
  next({ budgetBytes, headroomBytes, level }: PressureReading, since: number, freed: boolean): number {
    const used = budgetBytes - headroomBytes;
    this.#growth = Math.max((used - this.#usedBefore) / Math.max(1, since), this.#growth / 2, 0);
    this.#usedBefore = used;
    if (level >= HIGH && !freed) return NOTHING_LEFT_MS;
    const until = (bytes: number) => (this.#growth > 0 ? bytes / this.#growth : Number.POSITIVE_INFINITY);
    const soonest = Math.min(
      headroomBytes / FASTEST_GROWTH,
      until(headroomBytes) / LOOKS,
      // Where HIGH begins is met at half the time to it, again and again.
      level < HIGH ? until(HIGH_BEGINS * budgetBytes - used) / 2 : Number.POSITIVE_INFINITY,
    );
    return Math.min(level >= HIGH ? NOTHING_LEFT_MS : LONGEST_MS, Math.max(SHORTEST_MS, soonest));
  }
}
