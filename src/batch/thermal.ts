// Keeps an eye on the heat of processors and GPUs: slows work down, pauses it, lets it go on, and says why.
import { type Channel, channel } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import type { ThermalState } from './thermal-limits.js';
import { planThermal, type ThermalOptions } from './thermal-options.js';
import { SensorWatch, type ThermalPlace } from './thermal-watch.js';

/** The state changed. */
export interface ThermalChange {
  readonly state: ThermalState;
  readonly previous: ThermalState;
  /** One sentence: which sensor, what it read, which limit. */
  readonly reason: string;
}

export interface ThermalEvents {
  change: [ThermalChange];
}

export interface ThermalSummary {
  readonly state: ThermalState;
  readonly reason: string | undefined;
  /** Seconds in each state since the manager was made. */
  readonly seconds: Readonly<Record<ThermalState, number>>;
  /** The highest temperature that was read; undefined where none was. */
  readonly maxCelsius: number | undefined;
  /** What was read last. */
  readonly places: readonly ThermalPlace[];
  /** What could not be read the last time, and why. */
  readonly problems: readonly string[];
}

const STATES: readonly ThermalState[] = ['cool', 'warm', 'hot'];

/** `spillway:thermal.change`, with a {@link ThermalChange}. */
const changes = channel('spillway:thermal.change') as Channel<unknown, ThermalChange>;

/**
 * The hottest place decides: from its soft limit on fewer may work at once, down to one; from its hard limit on none
 * may begin; back below `resume` all is as before. Reasons that a device throttles itself for, as far as they mean heat,
 * count as its soft limit. Without a sensor that reads anything the state is `cool`.
 */
export class ThermalManager extends EventEmitter<ThermalEvents> implements Disposable {
  readonly #watches: readonly SensorWatch[];
  readonly #intervalMs: number;
  readonly #waiting = new Set<() => void>();
  readonly #seconds: Record<ThermalState, number> = { cool: 0, warm: 0, hot: 0 };
  #timer: NodeJS.Timeout | undefined;
  #state: ThermalState = 'cool';
  #since = performance.now();
  #share = 1;
  #reason: string | undefined;
  /** The place that decided last, while it was not cool. */
  #worst: ThermalPlace | undefined;
  #maxCelsius: number | undefined;
  /** How often it was stopped: what was asked for before does not count after. */
  #stops = 0;

  /** Reads nothing before it is started. Throws `ERR_INVALID_ARGUMENT`. */
  constructor(options: ThermalOptions = {}) {
    super();
    // Every run listens.
    this.setMaxListeners(0);
    const { limits, intervalMs, sensors } = planThermal(options);
    this.#watches = sensors.map((sensor) => new SensorWatch(sensor, limits));
    this.#intervalMs = intervalMs;
  }

  get state(): ThermalState {
    return this.#state;
  }

  /** Why the state is not `cool`. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** The highest of the temperatures that were read last; undefined where there are none. */
  get celsius(): number | undefined {
    return highest(this.#places());
  }

  /** Reads now, and from now on at each interval. Harmless when repeated. Keeps the process alive only while somebody waits. */
  start(): void {
    if (this.#timer) return;
    this.#timer = setInterval(() => void this.sample(), this.#intervalMs).unref();
    void this.sample();
  }

  /** Nobody looks any more, so nothing is held back any more. Harmless when repeated; it can be started again. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stops++;
    for (const watch of this.#watches) watch.clear();
    this.#judge('nobody looks at temperatures any more');
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  /** Asks all sensors now, but for those that have not answered yet; resolves once the others have. Never rejects. */
  async sample(): Promise<void> {
    const stops = this.#stops;
    const readAndJudge = async (watch: SensorWatch) => {
      await watch.read();
      if (stops === this.#stops) this.#judge('what was hot cannot be read any more');
      else watch.clear();
    };
    await Promise.all(this.#watches.map(readAndJudge));
  }

  /** How many of `workers` may work at once now: 0 while paused, else at least 1, and fewer than all while slowed. */
  allowed(workers: number): number {
    if (this.#state === 'cool') return workers;
    if (this.#state === 'hot') return 0;
    return Math.max(1, Math.min(workers - 1, Math.floor(workers * this.#share)));
  }

  /** Resolves once nothing is paused, at once where nothing is; rejects with the signal's reason. */
  wait(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#state !== 'hot') return Promise.resolve();
    // Nothing else may keep a paused job's process alive.
    this.#timer?.ref();
    return new Promise((resolve, reject) => {
      const leave = () => {
        signal?.removeEventListener('abort', abort);
        this.#waiting.delete(go);
        if (this.#waiting.size === 0) this.#timer?.unref();
      };
      const go = () => {
        leave();
        resolve();
      };
      const abort = () => {
        leave();
        reject(signal?.reason);
      };
      this.#waiting.add(go);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  summary(): ThermalSummary {
    const seconds = { ...this.#seconds };
    seconds[this.#state] += (performance.now() - this.#since) / 1e3;
    return {
      state: this.#state,
      reason: this.#reason,
      seconds,
      maxCelsius: this.#maxCelsius,
      places: this.#places(),
      problems: this.#watches.flatMap(({ problems }) => problems),
    };
  }

  #places(): ThermalPlace[] {
    return this.#watches.flatMap((watch) => [...watch.places()]);
  }

  /** `lost`: why it is cool where the place that was not is not read any more. */
  #judge(lost: string): void {
    const places = this.#places();
    const celsius = highest(places);
    if (celsius !== undefined) this.#maxCelsius = Math.max(celsius, this.#maxCelsius ?? celsius);
    const [worst] = places
      .filter(({ verdict }) => verdict.state !== 'cool')
      .sort((a, b) => rank(b) - rank(a));
    const cooled = places.find((place) => isSame(place, this.#worst));
    this.#worst = worst;
    this.#share = worst?.verdict.share ?? 1;
    this.#reason = worst?.verdict.reason;
    const state = worst?.verdict.state ?? 'cool';
    if (state !== this.#state) this.#change(state, (worst ?? cooled)?.verdict.reason ?? lost);
  }

  #change(state: ThermalState, reason: string): void {
    const previous = this.#state;
    const now = performance.now();
    this.#seconds[previous] += (now - this.#since) / 1e3;
    this.#since = now;
    this.#state = state;
    if (state !== 'hot') for (const go of [...this.#waiting]) go();
    const change = { state, previous, reason };
    if (changes.hasSubscribers) changes.publish(change);
    this.emit('change', change);
  }
}

function isSame(place: ThermalPlace, other: ThermalPlace | undefined): boolean {
  return place.sensor === other?.sensor && place.name === other.name;
}

/** The higher, the less may go on. */
function rank({ verdict: { state, share } }: ThermalPlace): number {
  return STATES.indexOf(state) + (1 - share) / 2;
}

function highest(places: readonly ThermalPlace[]): number | undefined {
  return places.reduce<number | undefined>(
    (most, { celsius }) => (celsius === undefined ? most : Math.max(celsius, most ?? celsius)),
    undefined,
  );
}
