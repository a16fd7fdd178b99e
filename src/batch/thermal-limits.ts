// From a temperature to what it means: work on, work slower, pause. Each state is left later than it is entered.
import { heatIn, type ThermalReading } from './thermal-sensor.js';

/** `warm`: fewer at once; `hot`: nothing begins. */
export type ThermalState = 'cool' | 'warm' | 'hot';

/** Degrees Celsius. */
export interface ThermalLimits {
  /** From here on slower. */
  readonly soft: number;
  /** From here on paused. */
  readonly hard: number;
  /** Below it as before. */
  readonly resume: number;
}

/** What a reading means. */
export interface Verdict {
  readonly state: ThermalState;
  /** Of what may work at once, while `warm`. */
  readonly share: number;
  /** One sentence: what it read, and which limit that is. */
  readonly reason: string;
}

/**
 * Where neither the caller nor the hardware says one: TjMax, at which an Intel processor forcibly cools itself (kernel,
 * Documentation/hwmon/coretemp.rst: "85C or 100C"); AMD's Ryzen 7000 hold 95 °C by design and must not be paused there.
 */
const HARD = 100;
/**
 * Ours: processors and GPUs are built to run within ten degrees of where they slow themselves down, so that anything
 * much wider would slow machines that are well.
 */
const SOFT_BELOW_HARD = 5;
/** Ours: a chip loses some degrees at once when its load goes; less would resume before its cooler has caught up. */
const RESUME_BELOW_SOFT = 5;
/** Ours: how hot it is that throttles itself is not known, so half, as memory has it at `ELEVATED`. */
const THROTTLED_SHARE = 0.5;

/** The limits for a reading: the caller's, else the hardware's, else ours. */
export function limitsFor(reading: ThermalReading, asked: Partial<ThermalLimits>): ThermalLimits {
  const hard = asked.hard ?? reading.hardCelsius ?? HARD;
  const soft = Math.min(hard, asked.soft ?? hard - SOFT_BELOW_HARD);
  const resume = Math.min(soft, asked.resume ?? soft - RESUME_BELOW_SOFT);
  return { soft, hard, resume };
}

/** `previous`: the state that the reading before this one, of the same place, left behind. */
export function judge(
  place: string,
  reading: ThermalReading,
  { soft, hard, resume }: ThermalLimits,
  previous: ThermalState,
): Verdict {
  const celsius = reading.celsius ?? Number.NEGATIVE_INFINITY;
  const heat = heatIn(reading);
  const is = reading.celsius === undefined ? place : `${place} is at ${degrees(celsius)}`;
  if (celsius >= hard || (previous === 'hot' && celsius >= resume)) {
    const reason = `${is}: paused from ${degrees(hard)} on, until it is below ${degrees(resume)}`;
    return { state: 'hot', share: 0, reason };
  }
  if (heat.length > 0) {
    const reason = `${is} and throttles itself (${heat.join(', ')}): slowed until it does not`;
    return { state: 'warm', share: Math.min(THROTTLED_SHARE, shareAt(celsius, soft, hard)), reason };
  }
  if (celsius >= soft || (previous !== 'cool' && celsius >= resume)) {
    const reason = `${is}: slowed from ${degrees(soft)} on, until it is below ${degrees(resume)}`;
    return { state: 'warm', share: shareAt(celsius, soft, hard), reason };
  }
  return { state: 'cool', share: 1, reason: `${is}, below ${degrees(resume)}` };
}

/** All at the soft limit, none at the hard one. */
function shareAt(celsius: number, soft: number, hard: number): number {
  return celsius <= soft ? 1 : (hard - celsius) / (hard - soft);
}

function degrees(celsius: number): string {
  return `${Math.round(celsius * 10) / 10} °C`;
}
