// The heat of a run: how long it was slowed and paused, and why.
import type { ThermalChange, ThermalManager } from '../batch/thermal.js';
import type { ThermalState } from '../batch/thermal-limits.js';

/** Seconds in each state; `reason`: why it was slowed or paused the last time. */
export interface ThermalFigures extends Readonly<Partial<Record<ThermalState, number>>> {
  readonly maxCelsius?: number;
  readonly reason?: string;
}

/** The state of now, and why it is not `cool`. */
export interface ThermalNow {
  readonly state: ThermalState;
  readonly reason?: string;
}

/** Follows a thermal manager from when it is made until `stop`. */
export class Heat {
  readonly #thermal: ThermalManager | undefined;
  readonly #before: Readonly<Record<ThermalState, number>> | undefined;
  #maxCelsius: number | undefined;
  #reason: string | undefined;
  #measured = false;
  #last: ThermalFigures | undefined;
  #stopped = false;

  constructor(thermal: ThermalManager | undefined) {
    this.#thermal = thermal;
    this.#before = thermal?.summary().seconds;
    this.#reason = thermal?.reason;
    thermal?.on('change', this.#onChange);
    this.look();
  }

  /** Temperatures between two looks are not seen; changes of the state are. */
  look(): void {
    const { celsius, state } = this.#thermal ?? {};
    if (celsius !== undefined) this.#maxCelsius = Math.max(celsius, this.#maxCelsius ?? celsius);
    this.#measured ||= celsius !== undefined || (state !== undefined && state !== 'cool');
  }

  /** The figures stay what they are. */
  stop(): void {
    this.look();
    this.#last = this.figures();
    this.#stopped = true;
    this.#thermal?.off('change', this.#onChange);
  }

  /** Undefined where nothing measures heat. */
  now(): ThermalNow | undefined {
    this.look();
    if (!this.#thermal || !this.#measured) return undefined;
    const { state, reason } = this.#thermal;
    return { state, ...(reason !== undefined && { reason }) };
  }

  /** Undefined where nothing measured heat. */
  figures(): ThermalFigures | undefined {
    if (this.#stopped || !this.#thermal || !this.#before || !this.#measured) return this.#last;
    const { seconds } = this.#thermal.summary();
    const since = (state: ThermalState, before: number) => Math.round((seconds[state] - before) * 1e3) / 1e3;
    const states = Object.entries(this.#before) as [ThermalState, number][];
    return {
      ...Object.fromEntries(states.map(([state, before]) => [state, since(state, before)])),
      ...(this.#maxCelsius !== undefined && { maxCelsius: this.#maxCelsius }),
      ...(this.#reason !== undefined && { reason: this.#reason }),
    };
  }

  readonly #onChange = ({ state, reason }: ThermalChange): void => {
    this.look();
    if (state !== 'cool') this.#reason = reason;
  };
}
