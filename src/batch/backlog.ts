// What waits for a batch: lanes of like shape, each in order of priority and age.

/** What the order goes by. */
export interface Waiting {
  /** Items of one lane can share a batch. */
  readonly lane: string;
  /** Earlier goes first; see `dueAt`. */
  readonly due: number;
  /** Order of submission, which decides between equals. */
  readonly serial: number;
}

/** Adds in O(log n) comparisons, mostly at the end; takes from the front. */
export class Backlog<J extends Waiting> {
  readonly #lanes = new Map<string, J[]>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(job: J): void {
    const lane = this.#lanes.get(job.lane);
    const place = lane ? placeOf(lane, job) : 0;
    if (!lane) this.#lanes.set(job.lane, [job]);
    else if (place === lane.length) lane.push(job);
    else lane.splice(place, 0, job);
    this.#length++;
  }

  /** False where it does not wait any more. */
  remove(job: J): boolean {
    const lane = this.#lanes.get(job.lane);
    const place = lane ? placeOf(lane, job) : -1;
    if (!lane || lane[place] !== job) return false;
    lane.splice(place, 1);
    this.#shrunk(job.lane, lane, 1);
    return true;
  }

  /** The lanes, that of the most urgent item first; each in order, none empty. Not to be changed. */
  lanes(): (readonly J[])[] {
    const lanes = [...this.#lanes.values()];
    return lanes.length > 1 ? lanes.sort((a, b) => compare(a[0] as J, b[0] as J)) : lanes;
  }

  /** Removes jobs of one lane, all of them among its first `within`. */
  take(jobs: readonly J[], within: number): void {
    const name = jobs[0]?.lane ?? '';
    const lane = this.#lanes.get(name);
    if (!lane) return;
    const taken = new Set(jobs);
    const left = lane.slice(0, within).filter((job) => !taken.has(job));
    lane.splice(0, within, ...left);
    this.#shrunk(name, lane, jobs.length);
  }

  /** Everything that waits; nothing does afterwards. */
  drain(): J[] {
    const jobs = this.lanes().flat();
    this.#lanes.clear();
    this.#length = 0;
    return jobs;
  }

  #shrunk(name: string, lane: readonly J[], by: number): void {
    this.#length -= by;
    if (lane.length === 0) this.#lanes.delete(name);
  }
}

function compare(a: Waiting, b: Waiting): number {
  return a.due - b.due || a.serial - b.serial;
}

/** Where `job` stands in its lane, or would stand. */
function placeOf(lane: readonly Waiting[], job: Waiting): number {
  const last = lane.at(-1);
  if (!last || compare(last, job) < 0) return lane.length;
  let low = 0;
  let high = lane.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(lane[middle] as Waiting, job) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
