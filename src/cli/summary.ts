// The summary of a run: as JSON, and in words.
import { type NativeReport, nativeReport } from '../native/load.js';
import type { RunFigures } from '../pipeline/meter.js';
import type { RunStats } from '../pipeline/run.js';
import type { Served } from '../pipeline/workload.js';
import { formatSeconds } from '../util/durations.js';
import { formatSize } from '../util/sizes.js';

/** How a run ended; `strict`: at the first failed item, as asked for. */
export type RunState = 'done' | 'stopped' | 'strict' | 'failed';

export interface Summary extends RunFigures {
  readonly leaks: RunStats['leaks'];
  readonly state: RunState;
  readonly workload: string;
  /** Who ran the models; null where everything came from the store. */
  readonly device: string | null;
  readonly engine: string | null;
  /** What went on where that device failed, and why; null where nothing had to. */
  readonly fallback: Served['fallback'] | null;
  readonly native: NativeReport;
  readonly [extra: string]: unknown;
}

export function summaryOf(workload: string, stats: RunStats, state: RunState): Summary {
  const { served, extra, ...figures } = stats;
  return {
    state,
    workload,
    ...figures,
    device: served?.device ?? null,
    engine: served?.engine ?? null,
    fallback: served?.fallback ?? null,
    native: nativeReport(),
    ...extra,
  };
}

/** A few lines for people. */
export function summaryText(
  summary: Summary,
  { cache, out }: { readonly cache: string | false; readonly out?: string },
): string {
  const { files, bytes, failed, cached, seconds, filesPerSecond, state } = summary;
  const lines = [
    `${state === 'done' ? 'done' : 'stopped'}: ${files} files (${formatSize(bytes)}) in ${formatSeconds(seconds)}, ${filesPerSecond}/s: ` +
      `${files - failed} ok, ${failed} failed, ${cached} from the store`,
    memoryLine(summary),
    ...heatLines(summary),
    servedLine(summary),
  ];
  for (const { reason } of summary.leaks) lines.push(`memory: ${reason}`);
  if (state !== 'done' && cache) lines.push('the same command goes on from here');
  if (state !== 'done' && out) lines.push(`what there is stands in ${out}.partial`);
  return `${lines.join('\n')}\n`;
}

function memoryLine({ peakRssBytes, budgetBytes, baselineRssBytes }: Summary): string {
  return `memory: peak ${formatSize(peakRssBytes)} of ${formatSize(budgetBytes)}, ${formatSize(baselineRssBytes)} at the start`;
}

/** Nothing where nothing was slowed. */
function heatLines({ thermal: { warm = 0, hot = 0, maxCelsius, reason } = {} }: Summary): string[] {
  if (warm + hot === 0) return [];
  const most = maxCelsius === undefined ? '' : `, at most ${maxCelsius} °C`;
  return [`heat: slowed for ${formatSeconds(warm)}, paused for ${formatSeconds(hot)}${most}; ${reason}`];
}

function servedLine({ engine, device, fallback, native: { loaded, reason } }: Summary): string {
  const instead = fallback ? `, then on ${fallback.device} (${fallback.code}: ${fallback.message})` : '';
  const models = engine === null ? 'no model had to run' : `engine ${engine} on ${device}${instead}`;
  return `${models}; ${loaded ? 'native addon' : `JavaScript path (${reason})`}`;
}
