// Counts a run while it goes on: progress, rate, time left, memory and how late the event loop was.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ThermalManager } from '../batch/thermal.js';
import type { PressureLevel } from '../memory/levels.js';
import type { MemoryManager } from '../memory/manager.js';
import { Heat, type ThermalFigures, type ThermalNow } from './heat.js';
import { LeakProbe, type LeakWatch } from './leak-watch.js';
import type { Result } from './workload.js';

/** A run so far. Bytes are those of the files done; `etaSeconds` is undefined until the total is known. */
export interface Progress {
  readonly files: number;
  readonly bytes: number;
  readonly failed: number;
  readonly cached: number;
  readonly totalFiles: number | undefined;
  readonly totalBytes: number | undefined;
  readonly seconds: number;
  /** Files per second over the last seconds. */
  readonly rate: number;
  readonly etaSeconds: number | undefined;
  readonly level: PressureLevel;
  /** Where something measures heat. */
  readonly thermal?: ThermalNow;
}

/** What a run was, as its summary says it. */
export interface RunFigures {
  readonly files: number;
  readonly bytes: number;
  readonly failed: number;
  readonly cached: number;
  readonly seconds: number;
  readonly filesPerSecond: number;
  /** Results taken from the store ÷ results; null without results. */
  readonly hitRate: number | null;
  readonly peakRssBytes: number;
  readonly baselineRssBytes: number;
  readonly budgetBytes: number;
  /** Seconds spent at each level. */
  readonly pressure: Partial<Record<PressureLevel, number>>;
  /** Where something measured heat. */
  readonly thermal?: ThermalFigures;
  readonly eventLoopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** What is looked at. */
export interface MeterParts {
  readonly memory: MemoryManager;
  readonly thermal?: ThermalManager | undefined;
  readonly childPeakRssBytes: () => number;
  readonly leaks: LeakWatch;
}

const SAMPLE_MS = 100;
/** The rate forgets what is older than some seconds: a weight of 1 − e^(−Δt/τ) per sample. */
const RATE_TAU_SECONDS = 3;

/** Starts measuring when made; `stop` ends it. */
export class Meter {
  readonly #memory: MemoryManager;
  readonly #heat: Heat;
  readonly #childPeak: () => number;
  readonly #probe: LeakProbe;
  readonly #baseline = process.memoryUsage.rss();
  readonly #delay = monitorEventLoopDelay({ resolution: 1 });
  readonly #pressure: Partial<Record<PressureLevel, number>> = {};
  readonly #timer: NodeJS.Timeout;
  readonly #start = performance.now();
  #end: number | undefined;
  #lastSample = this.#start;
  #filesAtSample = 0;
  #rate = 0;
  #files = 0;
  #bytes = 0;
  #failed = 0;
  #cached = 0;
  #total: { readonly files: number; readonly bytes: number } | undefined;

  constructor({ memory, thermal, childPeakRssBytes, leaks }: MeterParts) {
    this.#memory = memory;
    this.#heat = new Heat(thermal);
    this.#probe = new LeakProbe(leaks, { snapshot: () => memory.snapshot() });
    this.#childPeak = childPeakRssBytes;
    this.#delay.enable();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS).unref();
  }

  /** Tells how much there is to do, for the time left. */
  expect(files: number, bytes: number): void {
    this.#total = { files, bytes };
  }

  count(result: Result): void {
    this.#files++;
    this.#bytes += result.size ?? 0;
    if ('error' in result) this.#failed++;
    if (result.cached) this.#cached++;
  }

  stop(): void {
    if (this.#end !== undefined) return;
    this.#sample();
    this.#end = performance.now();
    clearInterval(this.#timer);
    this.#heat.stop();
    this.#delay.disable();
    this.#probe[Symbol.dispose]();
  }

  progress(): Progress {
    const seconds = this.#seconds();
    const rate = this.#rate || this.#files / Math.max(seconds, 0.001);
    const left = this.#total && this.#total.files - this.#files;
    const thermal = this.#heat.now();
    return {
      files: this.#files,
      bytes: this.#bytes,
      failed: this.#failed,
      cached: this.#cached,
      totalFiles: this.#total?.files,
      totalBytes: this.#total?.bytes,
      seconds,
      rate,
      etaSeconds: left === undefined || rate === 0 ? undefined : Math.max(0, left) / rate,
      level: this.#memory.level,
      ...(thermal && { thermal }),
    };
  }

  figures(): RunFigures {
    const seconds = this.#seconds();
    const thermal = this.#heat.figures();
    const ms = (ns: number) => Math.round(ns / 1e4) / 100;
    return {
      files: this.#files,
      bytes: this.#bytes,
      failed: this.#failed,
      cached: this.#cached,
      seconds: Math.round(seconds * 1e3) / 1e3,
      filesPerSecond: Math.round((this.#files / Math.max(seconds, 0.001)) * 10) / 10,
      hitRate: this.#files === 0 ? null : this.#cached / this.#files,
      peakRssBytes: process.resourceUsage().maxRSS * 1024 + this.#childPeak(),
      baselineRssBytes: this.#baseline,
      budgetBytes: this.#memory.budget,
      pressure: this.#pressure,
      ...(thermal && { thermal }),
      eventLoopDelayMs: {
        p50: ms(this.#delay.percentile(50)),
        p99: ms(this.#delay.percentile(99)),
        max: ms(this.#delay.max),
      },
    };
  }

  #seconds(): number {
    return ((this.#end ?? performance.now()) - this.#start) / 1e3;
  }

  #sample(): void {
    const now = performance.now();
    const seconds = (now - this.#lastSample) / 1e3;
    this.#probe.look(this.#files);
    this.#heat.look();
    const { level } = this.#memory;
    this.#pressure[level] = Math.round(((this.#pressure[level] ?? 0) + seconds) * 1e3) / 1e3;
    const weight = 1 - Math.exp(-seconds / RATE_TAU_SECONDS);
    this.#rate += weight * ((this.#files - this.#filesAtSample) / Math.max(seconds, 0.001) - this.#rate);
    this.#lastSample = now;
    this.#filesAtSample = this.#files;
  }
}
