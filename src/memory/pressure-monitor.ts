// How full memory is, for programs that look: level, history, trend, callbacks.
import { EventEmitter } from 'node:events';
import { HIGH, type PressureDegree, type PressureEvent, type PressureHistory } from '../contract/index.js';
import { native } from '../native/load.js';
import { type Duration, parseDuration } from '../util/durations.js';
import { formatSize } from '../util/sizes.js';
import { theilSen } from '../util/trend.js';
import { onGovernorEvent } from './governor-events.js';
import { HIGH_EXIT_SHARE, levelName, type PressureLevel } from './levels.js';

/** The level changed. */
export interface LevelChange {
  readonly level: PressureLevel;
  readonly previous: PressureLevel;
  /** One sentence with the bound and its figures. */
  readonly reason: string;
}

/** Storage was freed, or JavaScript is asked to give bytes back. */
export interface BytesEvent {
  readonly bytes: number;
  readonly reason: string;
}

export interface PressureEvents {
  level: [LevelChange];
  freed: [BytesEvent];
  spill: [BytesEvent];
  /** Something that is read was lost or came back. */
  signal: [{ readonly reason: string }];
}

export interface PressureTrend {
  /** Median slope of what is used (Theil 1950, Sen 1968) over the window. */
  readonly bytesPerSecond: number;
  readonly direction: 'rising' | 'steady' | 'falling';
  /** Until the budget is full at this rate; undefined unless rising. */
  readonly secondsLeft: number | undefined;
}

export interface PressureSummary {
  readonly level: PressureLevel;
  readonly running: boolean;
  readonly budgetBytes: number;
  readonly usedBytes: number;
  readonly availableBytes: number;
  /** Used ÷ budget: now, mean and most over the history. */
  readonly usedShare: number;
  readonly averageShare: number;
  readonly peakShare: number;
  /** Seconds of the history at each level. */
  readonly seconds: Readonly<Record<PressureLevel, number>>;
  readonly samples: number;
  /** CPU of the sampling thread, milliseconds. */
  readonly cpuMs: number;
  readonly evictions: number;
  readonly freedBytes: number;
  /** What is read, and what was refused and why. */
  readonly sources: readonly string[];
  /** The above in a sentence. */
  readonly text: string;
}

/** Below this share of the budget a second, memory counts as steady. */
const STEADY_SHARE = 0.001;
/** All pairs of the points are compared. */
const TREND_POINTS = 128;

/**
 * Watches memory against the budget of this process, or against the limit that binds while no budget is set. Made
 * once: see {@link getPressureMonitor}. Everything but the events also answers while it is stopped, from a reading of
 * that moment.
 */
export class PressureMonitor extends EventEmitter<PressureEvents> {
  readonly #governor = native().governor;
  #forget: (() => void) | undefined;

  /** Samples in the background from now on; harmless when repeated. Does not keep the process alive. */
  start(): void {
    this.#forget ??= onGovernorEvent((event) => this.#tell(event));
  }

  /** No more events; a budget that is set stays guarded. */
  stop(): void {
    this.#forget?.();
    this.#forget = undefined;
  }

  get level(): PressureLevel {
    return levelName(this.#governor.look().level);
  }

  /** Whether the level is HIGH or CRITICAL. */
  isUnderPressure(): boolean {
    return this.#governor.look().level >= HIGH;
  }

  /** Bytes that can be taken before the nearer bound is reached; 0 beyond it. */
  availableBytes(): number {
    return Math.max(0, this.#governor.measure().headroomBytes);
  }

  /** Mean of used ÷ budget over the window, as far as the history reaches; the share of now without one. */
  averagePressure(window: Duration = '1m'): number {
    const { usedShare } = this.#since(parseDuration(window, 'window'));
    if (usedShare.length === 0) return this.#governor.measure().usedShare;
    return mean(usedShare);
  }

  /** Readings as columns, oldest first: the fullest of each 100 ms. */
  history(): PressureHistory {
    return this.#governor.history();
  }

  /** Where memory is going, from the readings of the window. */
  trend(window: Duration = '30s'): PressureTrend {
    const { at, usedShare, budgetBytes } = this.#since(parseDuration(window, 'window'));
    const step = Math.max(1, Math.ceil(at.length / TREND_POINTS));
    const xs: number[] = [];
    const ys: number[] = [];
    for (let i = 0; i < at.length; i += step) {
      xs.push((at[i] as number) / 1e3);
      ys.push((usedShare[i] as number) * (budgetBytes[i] as number));
    }
    const bytesPerSecond = xs.length < 3 ? 0 : theilSen(xs, ys).slope;
    const { budgetBytes: budget, headroomBytes } = this.#governor.measure();
    if (Math.abs(bytesPerSecond) < STEADY_SHARE * budget)
      return { bytesPerSecond, direction: 'steady', secondsLeft: undefined };
    return bytesPerSecond < 0
      ? { bytesPerSecond, direction: 'falling', secondsLeft: undefined }
      : { bytesPerSecond, direction: 'rising', secondsLeft: Math.max(0, headroomBytes) / bytesPerSecond };
  }

  /** Bytes to give back so that HIGH is left; 0 below it. */
  evictionTarget(): number {
    const { budgetBytes, usedShare, level } = this.#governor.measure();
    return level < HIGH ? 0 : Math.max(0, Math.ceil((usedShare - HIGH_EXIT_SHARE) * budgetBytes));
  }

  summary(): PressureSummary {
    const { at, usedShare: shares, level: degrees } = this.#governor.history();
    const seconds = { NORMAL: 0, ELEVATED: 0, HIGH: 0, CRITICAL: 0 };
    for (let i = 1; i < at.length; i++)
      seconds[levelName(degrees[i] as PressureDegree)] += ((at[i] as number) - (at[i - 1] as number)) / 1e3;
    const { level, budgetBytes, usedShare, headroomBytes } = this.#governor.measure();
    const { samples, cpuUs, evictions, freedBytes } = this.#governor.figures();
    const usedBytes = Math.round(usedShare * budgetBytes);
    return {
      level: levelName(level),
      running: this.#forget !== undefined,
      budgetBytes,
      usedBytes,
      availableBytes: Math.max(0, headroomBytes),
      usedShare,
      averageShare: shares.length > 0 ? mean(shares) : usedShare,
      peakShare: shares.reduce((a, b) => Math.max(a, b), usedShare),
      seconds,
      samples,
      cpuMs: cpuUs / 1e3,
      evictions,
      freedBytes,
      sources: this.#governor.sources(),
      text: `${levelName(level)}: ${formatSize(usedBytes)} of ${formatSize(budgetBytes)} used, ${formatSize(Math.max(0, headroomBytes))} available`,
    };
  }

  #since(ms: number): PressureHistory {
    const history = this.#governor.history();
    const last = history.at.at(-1) ?? 0;
    const from = history.at.findIndex((at) => at >= last - ms);
    const cut = (column: Float64Array) => column.subarray(Math.max(0, from));
    return Object.fromEntries(
      Object.entries(history).map(([name, column]) => [name, cut(column)]),
    ) as unknown as PressureHistory;
  }

  #tell({ kind, level, previous, reason, bytes }: PressureEvent): void {
    if (kind === 'level') {
      if (level !== previous)
        this.emit('level', { level: levelName(level), previous: levelName(previous), reason });
    } else if (kind === 'signal') this.emit('signal', { reason });
    else this.emit(kind, { bytes, reason });
  }
}

let monitor: PressureMonitor | undefined;

/** The monitor of this thread; one thread's levels are those of the whole process. */
export function getPressureMonitor(): PressureMonitor {
  monitor ??= new PressureMonitor();
  return monitor;
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
