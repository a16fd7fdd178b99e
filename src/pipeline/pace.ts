// How many files are decoded at once: what memory and heat allow.
import type { ThermalManager } from '../batch/thermal.js';
import { allowedAt } from '../memory/levels.js';
import type { MemoryManager } from '../memory/manager.js';
import { Turns } from '../util/turns.js';

export interface PaceParts {
  readonly memory: MemoryManager;
  readonly thermal: ThermalManager | undefined;
  /** At once, at most. */
  readonly workers: number;
  readonly signal: AbortSignal;
}

/** Hands out turns; while the machine is too hot, nobody gets one. */
export class Pace implements Disposable {
  readonly #thermal: ThermalManager | undefined;
  readonly #signal: AbortSignal;
  readonly #turns: Turns;
  readonly #wake = () => this.#turns.wake();

  constructor({ memory, thermal, workers, signal }: PaceParts) {
    this.#thermal = thermal;
    this.#signal = signal;
    const cool = () => thermal?.allowed(workers) ?? workers;
    this.#turns = new Turns(() => Math.min(allowedAt(memory.level, workers), cool()));
    thermal?.on('change', this.#wake);
  }

  /** Resolves when work may begin; rejects with the reason of the signal where that comes first. */
  async ready(): Promise<void> {
    if (this.#paused) await this.#thermal?.wait(this.#signal);
  }

  /** Runs `work` when its turn comes. Rejects like {@link ready}. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.ready();
      // It may have become too hot while this one waited for its turn.
      const done = await this.#turns.run(async () => (this.#paused ? undefined : { value: await work() }));
      if (done) return done.value;
    }
  }

  [Symbol.dispose](): void {
    this.#thermal?.off('change', this.#wake);
  }

  get #paused(): boolean {
    return this.#thermal?.state === 'hot';
  }
}
