// The engines of one cache: one for the graphs that are trusted, one for each set of limits on those that are not.
import type { ChildLimits } from './child-limits.js';
import { type EngineName, openEngine } from './choose-engine.js';
import type { Engine, EngineChoice } from './engine.js';
import { openConfinedEngine } from './stock-engine.js';

/** Opens engines at their first use. Close it when done. */
export class Engines {
  readonly #name: EngineName;
  readonly #confined = new Map<string, EngineChoice>();
  #opening: Promise<EngineChoice> | undefined;
  #trusted: EngineChoice | undefined;

  constructor(name: EngineName) {
    this.#name = name;
  }

  /** The engine for a graph, by the limits it is to run within. Rejects like {@link openEngine}; that is not final. */
  async open(limits: ChildLimits | undefined): Promise<EngineChoice> {
    if (limits) return this.#openConfined(limits);
    this.#opening ??= openEngine(this.#name);
    try {
      this.#trusted = await this.#opening;
      return this.#trusted;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  /** The engine of trusted graphs, and why it was chosen, once it is open. */
  get trusted(): EngineChoice | undefined {
    return this.#trusted;
  }

  childRssBytes(): number {
    return this.#sum((engine) => engine.childRssBytes());
  }

  peakChildRssBytes(): number {
    return this.#sum((engine) => engine.peakChildRssBytes());
  }

  /** Ends what they started. Harmless when repeated. */
  async close(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    await Promise.all(this.#open().map((engine) => engine.close()));
  }

  #openConfined(limits: ChildLimits): EngineChoice {
    const key = JSON.stringify(limits);
    const choice = this.#confined.get(key) ?? openConfinedEngine(limits);
    this.#confined.set(key, choice);
    return choice;
  }

  #open(): Engine[] {
    const choices = [...this.#confined.values(), ...(this.#trusted ? [this.#trusted] : [])];
    return choices.map(({ engine }) => engine);
  }

  #sum(bytes: (engine: Engine) => number): number {
    return this.#open().reduce((sum, engine) => sum + bytes(engine), 0);
  }
}
