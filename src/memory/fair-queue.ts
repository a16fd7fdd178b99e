// Who waits for memory, and who is next.

/** Somebody who waits for bytes of a stage. */
export interface Waiting {
  readonly stage: string;
  readonly bytes: number;
  /** `performance.now()` when the waiting began. */
  readonly since: number;
}

interface Stage<W> {
  held: number;
  readonly waiting: W[];
}

/**
 * What a stage may hold beside the others. Decoding and inference end sooner the more they have, while bytes that
 * were read only wait for them; a stage that is not named here weighs 1.
 */
const WEIGHTS: Readonly<Record<string, number>> = { models: 4, decode: 4, batch: 2, read: 1 };

/** Whoever waited this long is next, and nobody passes: a large request must not starve behind small ones. */
export const PATIENCE_MS = 1000;

/**
 * Stages take turns by what they hold for their weight; inside a stage it is first come, first served. A stage that
 * holds nothing is never passed, so each gets on with at least one piece of work.
 */
export class FairQueue<W extends Waiting> {
  readonly #stages = new Map<string, Stage<W>>();

  /** How many wait. */
  get length(): number {
    let length = 0;
    for (const { waiting } of this.#stages.values()) length += waiting.length;
    return length;
  }

  /** Counts bytes that a stage was given; negative ones, that it gave back. */
  hold(stage: string, bytes: number): void {
    this.#stage(stage).held += bytes;
  }

  push(waiter: W): void {
    this.#stage(waiter.stage).waiting.push(waiter);
  }

  remove(waiter: W): void {
    const { waiting } = this.#stage(waiter.stage);
    const at = waiting.indexOf(waiter);
    if (at >= 0) waiting.splice(at, 1);
  }

  /** Who may be served now, in this order: each only where those before it do not fit. */
  candidates(now: number): W[] {
    const heads: { head: W; share: number }[] = [];
    for (const [name, { held, waiting }] of this.#stages)
      if (waiting[0]) heads.push({ head: waiting[0], share: held / (WEIGHTS[name] ?? 1) });
    const patient = heads.filter(({ head }) => now - head.since > PATIENCE_MS);
    if (patient.length > 0) return [patient.reduce((a, b) => (b.head.since < a.head.since ? b : a)).head];
    heads.sort((a, b) => a.share - b.share || a.head.since - b.head.since);
    const empty = heads.findIndex(({ share }) => share <= 0);
    return heads.slice(0, empty < 0 ? heads.length : empty + 1).map(({ head }) => head);
  }

  /** Everybody who waits; nobody does afterwards. */
  drain(): W[] {
    return [...this.#stages.values()].flatMap(({ waiting }) => waiting.splice(0));
  }

  #stage(name: string): Stage<W> {
    let stage = this.#stages.get(name);
    if (!stage) {
      stage = { held: 0, waiting: [] };
      this.#stages.set(name, stage);
    }
    return stage;
  }
}
