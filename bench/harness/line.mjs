// From samples to a line of output: medians, ratios, and whether the target was met.
import { median, round, spread } from './statistics.mjs';

/**
 * @typedef {import('./types.js').Measure} Measure
 * @typedef {import('./types.js').Line} Line
 */

/**
 * @param {string} caseName
 * @param {Measure} measure
 * @param {Readonly<Record<string, readonly number[]>>} samples by side; `ours` among them
 * @param {{ data: string, path: 'native' | 'js', label?: (side: string) => string }} about `label`: a side's name for people
 * @returns {Line}
 */
export function makeLine(caseName, measure, samples, { data, path, label = (side) => side }) {
  const { metric, better, target } = measure;
  const values = Object.fromEntries(Object.entries(samples).map(([side, runs]) => [side, median(runs)]));
  const ours = figureOf(values, 'ours', caseName);
  const limit = limitOf(target.limit, values, caseName);
  if (limit && better === 'higher') throw new Error(`${caseName}: a limit is for what is better lower`);
  const peers = Object.keys(values).filter((side) => side !== 'ours' && side !== limit?.name);
  /** @param {string} side */
  const times = (side) => {
    const theirs = figureOf(values, side, caseName);
    return better === 'lower' ? theirs / ours : ours / theirs;
  };
  const isZero = limit?.value === 0;
  const ratio = {
    ...(limit && !isZero && { limit: round(ours / limit.value) }),
    // Nothing is so many times better than nothing at all.
    ...Object.fromEntries(
      peers.filter((side) => Number.isFinite(times(side))).map((side) => [label(side), round(times(side))]),
    ),
  };
  return {
    case: lineName(caseName, measure),
    metric,
    better,
    ours: round(ours),
    path,
    pass:
      (!limit || ours <= limit.value * (target.atMost ?? 1)) &&
      Object.entries(target.atLeast ?? {}).every(([side, least]) => times(side) >= least),
    peers: Object.fromEntries(peers.map((side) => [label(side), round(figureOf(values, side, caseName))])),
    ...(limit && { limit: { name: limit.name, value: round(limit.value) } }),
    ...(Object.keys(ratio).length > 0 && { ratio }),
    ...(limit && isZero && { difference: { limit: round(ours) } }),
    runs: samples.ours?.length ?? 0,
    spread: Number(spread(samples.ours ?? []).toFixed(3)),
    data,
    node: process.versions.node,
  };
}

/** @param {string} caseName @param {Measure} measure */
export function lineName(caseName, measure) {
  return measure.name === undefined ? caseName : `${caseName}.${measure.name}`;
}

/** @param {Measure['target']['limit']} limit @param {Record<string, number>} values @param {string} caseName */
function limitOf(limit, values, caseName) {
  return typeof limit === 'string' ? { name: limit, value: figureOf(values, limit, caseName) } : limit;
}

/** @param {Record<string, number>} values @param {string} side @param {string} caseName */
function figureOf(values, side, caseName) {
  const value = values[side];
  if (value === undefined || !Number.isFinite(value))
    throw new Error(`${caseName}: expected a figure of ${side} but received ${value}`);
  return value;
}
