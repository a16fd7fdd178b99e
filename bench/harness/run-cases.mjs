// Runs contests one after another and tells a line for each measure.
import { runContest } from './contest.mjs';
import { lineName, makeLine } from './line.mjs';
import { versionOf } from './packages.mjs';

/**
 * @typedef {import('./types.js').Context} Context
 * @typedef {import('./types.js').Contest} Contest
 * @typedef {import('./types.js').Measure} Measure
 * @typedef {import('./cases.mjs').Choice} Choice
 */

const RUNS = { full: 7, quick: 3 };

/**
 * @param {readonly Choice[]} choices @param {Context} context
 * @param {(line: object) => void} tell receives a line for each measure, or `{ case, skipped }`, or `{ case, error }`
 * @returns {Promise<number>} how many contests failed
 */
export async function runChoices(choices, context, tell) {
  let failed = 0;
  for (const choice of choices) if (!(await runChoice(choice, context, tell))) failed++;
  return failed;
}

/**
 * Runs one contest and tells its lines; false where it failed.
 * @param {Choice} choice @param {Context} context @param {(line: object) => void} tell
 */
async function runChoice({ found, index }, context, tell) {
  const contest = /** @type {Contest} */ (found.contests[index]);
  const names = contest.measures.map((measure) => lineName(found.name, measure));
  try {
    const skipped = await contest.skip?.(context);
    if (skipped !== undefined) {
      for (const name of names) tell({ case: name, skipped });
      return true;
    }
    for (const line of await linesOf({ found, index }, contest, context)) tell(line);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    for (const name of names) tell({ case: name, error: message });
    console.error(`bench: ${message}`);
    return false;
  } finally {
    note('');
  }
}

/** @param {Choice} choice @param {Contest} contest @param {Context} context */
async function linesOf({ found, index }, contest, context) {
  const name = lineName(found.name, /** @type {Measure} */ (contest.measures[0]));
  note(`${name}: making the data`);
  const data = await contest.data(context);
  // Without the addon ours is the JavaScript path: nothing to set beside it.
  const sides = Object.keys(contest.sides).filter((side) => context.native || side !== 'spillway-js');
  const place = { file: found.file, caseName: found.name, contest: index };
  const runs = contest.runs ?? (context.quick ? RUNS.quick : RUNS.full);
  const samples = await runContest(contest, place, data, {
    runs,
    sides,
    note: (text) => note(`${name}: ${text}`),
  });
  return contest.measures.map((measure) => {
    const key = measure.key ?? measure.metric;
    const values = Object.entries(samples)
      .map(([side, runs]) => /** @type {const} */ ([side, runs.flatMap(({ values }) => values[key] ?? [])]))
      .filter(([, runs]) => runs.length > 0);
    return makeLine(found.name, measure, Object.fromEntries(values), {
      data: data.label,
      path: context.native ? 'native' : 'js',
      label: (side) => labelOf(side, contest.sides[side]?.package),
    });
  });
}

/** @param {string} side @param {string | undefined} packageName */
function labelOf(side, packageName) {
  return packageName === undefined ? side : `${side}@${versionOf(packageName)}`;
}

/** Says on a terminal what is being done, in one line that the next replaces. @param {string} text */
function note(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
