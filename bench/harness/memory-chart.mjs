// The chart of a scenario: limit, budget, working set, accounts, and the level below them, over time.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lineChart } from './chart.mjs';

/**
 * @typedef {import('./watcher.mjs').Seen} Seen
 * @typedef {{ at: number, budget: number, level: number, accounts: Record<string, number> }} Booked by the process
 * @typedef {{ at: number, text: string }} Mark
 */

const FOLDER = fileURLToPath(new URL('../build/charts/', import.meta.url));
export const LEVEL_NAMES = ['NORMAL', 'ELEVATED', 'HIGH', 'CRITICAL'];
/** Accounts of their own in the chart; smaller ones are one line. */
const MOST_ACCOUNTS = 5;
const MB = 1e6;

/**
 * Draws what was seen from outside and booked inside, and names the file on standard error.
 * @param {string} name of the file, and the title's first word
 * @param {{ title: string, seen: readonly Seen[], booked?: readonly Booked[], marks?: readonly Mark[] }} scenario
 */
export function drawMemory(name, { title, seen, booked = [], marks = [] }) {
  const start = seen[0]?.at ?? 0;
  const seconds = (/** @type {number} */ at) => (at - start) / 1000;
  const over = (/** @type {readonly Booked[]} */ all, /** @type {(one: Booked) => number} */ bytesOf) =>
    all.map((one) => /** @type {const} */ ([seconds(one.at), bytesOf(one) / MB]));
  const lines = [
    { name: 'limit', dashed: true, points: seen.map(({ at, limit }) => point(seconds(at), limit)) },
    { name: 'budget', dashed: true, points: over(booked, ({ budget }) => budget) },
    { name: 'working set', points: seen.map(({ at, workingSet }) => point(seconds(at), workingSet)) },
    ...accountLines(booked).map(({ name: account, bytesOf }) => ({
      name: account,
      points: over(booked, bytesOf),
    })),
  ];
  const svg = lineChart({
    title: `${name}: ${title}`,
    units: { x: 's', y: 'MB' },
    lines: lines.filter(({ points }) => points.length > 0),
    ...(booked.length > 0 && { strip: 'level' }),
    spans: spansOf(booked, seconds),
    marks: marks.map(({ at, text }) => ({ x: seconds(at), text })),
  });
  mkdirSync(FOLDER, { recursive: true });
  const file = path.join(FOLDER, `${name}.svg`);
  writeFileSync(file, svg);
  console.error(`bench: chart ${file}`);
}

/** What `report-accounts.mjs` wrote; a process that was killed may have left half a line. @param {string} file @returns {Booked[]} */
export function bookedIn(file) {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/**
 * The governor's history as what was booked; its only account is what no other explains.
 * @param {import('../../src/contract/index.js').PressureHistory} history @param {number} [since] ms since the epoch
 * @returns {Booked[]}
 */
export function bookedOf({ at, budgetBytes, level, unmanagedBytes }, since = 0) {
  return Array.from(at, (time, i) => ({
    at: time,
    budget: budgetBytes[i] ?? 0,
    level: level[i] ?? 0,
    accounts: { unmanaged: unmanagedBytes[i] ?? 0 },
  })).filter((booked) => booked.at >= since);
}

/** @param {number} x @param {number} bytes @returns {[number, number]} */
const point = (x, bytes) => [x, bytes / MB];

/** The largest accounts by their peaks, and the sum of the others. @param {readonly Booked[]} booked */
function accountLines(booked) {
  /** @type {Map<string, number>} */
  const peaks = new Map();
  for (const { accounts } of booked)
    for (const [account, bytes] of Object.entries(accounts))
      peaks.set(account, Math.max(bytes, peaks.get(account) ?? 0));
  const names = [...peaks]
    .filter(([, peak]) => peak > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([account]) => account);
  const shown = names.slice(0, MOST_ACCOUNTS);
  const rest = names.slice(MOST_ACCOUNTS);
  const sum =
    (/** @type {readonly string[]} */ of) =>
    (/** @type {Booked} */ { accounts }) =>
      of.reduce((total, account) => total + (accounts[account] ?? 0), 0);
  const lines = shown.map((account) => ({ name: account, bytesOf: sum([account]) }));
  return rest.length > 0 ? [...lines, { name: 'other accounts', bytesOf: sum(rest) }] : lines;
}

/** @param {readonly Booked[]} booked @param {(at: number) => number} seconds */
function spansOf(booked, seconds) {
  /** @type {{ name: string, from: number, to: number, weight: number }[]} */
  const spans = [];
  for (const { at, level } of booked) {
    const last = spans.at(-1);
    if (last) last.to = seconds(at);
    if (last?.weight !== level)
      spans.push({
        name: LEVEL_NAMES[level] ?? String(level),
        from: seconds(at),
        to: seconds(at),
        weight: level,
      });
  }
  return spans;
}
