// One sensor, asked again and again: what each of its places read last, and what that means.
import { messageOf } from '../util/errors.js';
import { judge, limitsFor, type ThermalLimits, type Verdict } from './thermal-limits.js';
import type { ThermalReading, ThermalSensor } from './thermal-sensor.js';

/** A place that is measured, such as a processor or a GPU. */
export interface ThermalPlace extends ThermalReading {
  readonly sensor: string;
  readonly limits: ThermalLimits;
  readonly verdict: Verdict;
}

/** So many readings in a row may be missing while the last one still counts: what was hot stays so for a moment. */
const MISSES = 3;

/** Never asks a sensor that has not answered yet. */
export class SensorWatch {
  readonly #sensor: ThermalSensor;
  readonly #asked: Partial<ThermalLimits>;
  readonly #places = new Map<string, ThermalPlace & { readonly missed: number }>();
  #problems: readonly string[] = [];
  #busy = false;

  constructor(sensor: ThermalSensor, asked: Partial<ThermalLimits>) {
    this.#sensor = sensor;
    this.#asked = asked;
  }

  /** Those that were read of late. */
  places(): Iterable<ThermalPlace> {
    return this.#places.values();
  }

  /** Why something could not be read, the last time. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Never rejects; resolves at once where the last answer is still to come. */
  async read(): Promise<void> {
    if (this.#busy) return this.#fail('has not answered yet');
    this.#busy = true;
    try {
      this.#take(await this.#sensor.read());
    } catch (error) {
      this.#fail(`cannot be read: ${messageOf(error)}`);
    } finally {
      this.#busy = false;
    }
  }

  /** Forgets what was read, and with it every state. */
  clear(): void {
    this.#places.clear();
  }

  #take(readings: readonly ThermalReading[]): void {
    const problems: string[] = [];
    const read = new Set<string>();
    for (const reading of readings) {
      const place = `${this.#sensor.name} ${reading.name}`;
      const problem = problemOf(reading);
      if (problem) problems.push(`${place}: ${problem}`);
      else if (reading.celsius === undefined && !reading.throttleReasons) continue;
      else {
        read.add(reading.name);
        this.#keep(place, reading);
      }
    }
    this.#problems = problems;
    this.#miss(read);
  }

  #keep(place: string, reading: ThermalReading): void {
    const { name } = reading;
    const limits = limitsFor(reading, this.#asked);
    const previous = this.#places.get(name)?.verdict.state ?? 'cool';
    const verdict = judge(place, reading, limits, previous);
    this.#places.set(name, { ...reading, sensor: this.#sensor.name, limits, verdict, missed: 0 });
  }

  #fail(problem: string): void {
    this.#problems = [`${this.#sensor.name} ${problem}`];
    this.#miss(new Set());
  }

  #miss(read: ReadonlySet<string>): void {
    for (const [name, place] of this.#places) {
      if (read.has(name)) continue;
      if (place.missed < MISSES) this.#places.set(name, { ...place, missed: place.missed + 1 });
      else this.#places.delete(name);
    }
  }
}

function problemOf({ problem, celsius }: ThermalReading): string | undefined {
  if (problem !== undefined || celsius === undefined || Number.isFinite(celsius)) return problem;
  return `expected degrees Celsius but received ${celsius}`;
}
