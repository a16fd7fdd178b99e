// Runs the sides of a contest by turns, and lets no time out of the door whose sides disagree.
import { isDeepStrictEqual } from 'node:util';
import { SideProcess } from './side.mjs';

/**
 * @typedef {import('./types.js').Contest} Contest
 * @typedef {import('./types.js').Sample} Sample
 * @typedef {{ file: string, caseName: string, contest: number }} Place
 */

/** Two sides delivered different results: no time of theirs means anything. */
export class UnequalResults extends Error {}

/**
 * Every side `runs` times, alternating, none always first. A side has one process for all of its runs, checked and
 * warmed up before the first, or a fresh one for each.
 * @param {Contest} contest @param {Place} place @param {unknown} data
 * @param {{ runs: number, sides: readonly string[], note?: (text: string) => void }} options
 * @returns {Promise<Record<string, Sample[]>>} samples by side
 */
export async function runContest(contest, place, data, { runs, sides, note = () => undefined }) {
  /** @type {Map<string, SideProcess>} */
  const lasting = new Map();
  const results = new Agreement(place.caseName);
  /** @type {Record<string, Sample[]>} */
  const samples = Object.fromEntries(sides.map((side) => [side, []]));
  try {
    for (const side of sides) {
      if (contest.sides[side]?.fresh) continue;
      note(`${side}: warming up`);
      const process = await open(contest, place, side, data);
      lasting.set(side, process);
      results.add('check', side, await process.check());
      results.add('run', side, (await process.run()).result);
    }
    for (let turn = 0; turn < runs; turn++)
      for (const [i] of sides.entries()) {
        const side = /** @type {string} */ (sides[(i + turn) % sides.length]);
        note(`${side}: run ${turn + 1} of ${runs}`);
        const sample = await (lasting.get(side)?.run() ?? runFresh(contest, place, side, data, results));
        results.add('run', side, sample.result);
        samples[side]?.push(sample);
      }
    for (const process of lasting.values()) await process.close();
    return samples;
  } finally {
    for (const process of lasting.values()) process.kill();
  }
}

/** @param {Contest} contest @param {Place} place @param {string} side @param {unknown} data @param {Agreement} results */
async function runFresh(contest, place, side, data, results) {
  const process = await open(contest, place, side, data);
  try {
    const sample = await process.run();
    if (!results.has('check', side)) results.add('check', side, await process.check());
    await process.close();
    return sample;
  } finally {
    process.kill();
  }
}

/** @param {Contest} contest @param {Place} place @param {string} name @param {unknown} data */
async function open(contest, place, name, data) {
  const side = contest.sides[name];
  const which = { ...place, side: name, data };
  const process = new SideProcess(which, {
    env: side?.env ?? {},
    // The collector can be called where times are taken; a fresh process is left as a user would start it.
    execArgv: side?.execArgv ?? (side?.fresh ? [] : ['--expose-gc']),
    ...(contest.limitMs !== undefined && { limitMs: contest.limitMs }),
  });
  try {
    await process.open(which);
    return process;
  } catch (error) {
    process.kill();
    throw error;
  }
}

/** What the sides delivered; the first to speak sets what the others have to deliver too. */
class Agreement {
  #caseName;
  /** @type {Map<string, { side: string, result: unknown }>} */
  #first = new Map();
  #seen = new Set();

  /** @param {string} caseName */
  constructor(caseName) {
    this.#caseName = caseName;
  }

  /** @param {string} kind @param {string} side */
  has(kind, side) {
    return this.#seen.has(`${kind} ${side}`);
  }

  /** @param {string} kind @param {string} side @param {unknown} result undefined: nothing to compare */
  add(kind, side, result) {
    this.#seen.add(`${kind} ${side}`);
    if (result === undefined || result === null) return;
    const first = this.#first.get(kind);
    if (!first) this.#first.set(kind, { side, result });
    else if (!isDeepStrictEqual(first.result, result))
      throw new UnequalResults(
        `${this.#caseName}: expected the sides to deliver the same, but ${first.side} delivered ` +
          `${JSON.stringify(first.result)} and ${side} ${JSON.stringify(result)}`,
      );
  }
}
