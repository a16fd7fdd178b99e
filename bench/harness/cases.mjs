// Finds the cases by their files, and those that were asked for by their names.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { lineName } from './line.mjs';

/**
 * @typedef {import('./types.js').Case & { readonly file: string }} FoundCase `file`: the URL it was read from
 * @typedef {{ readonly found: FoundCase, readonly index: number }} Choice a contest, by its place in its case
 */

/** Every case of every file in `folder`. @param {string} folder @returns {Promise<FoundCase[]>} */
export async function findCases(folder) {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.mjs'))
    .sort();
  const found = [];
  for (const name of files) {
    const file = pathToFileURL(path.join(folder, name)).href;
    const { cases } = await import(file);
    if (!Array.isArray(cases) || cases.length === 0)
      throw new Error(`expected ${name} to export a list of cases`);
    found.push(...cases.map((each) => ({ ...each, file })));
  }
  return found;
}

/**
 * The contests that have a line called `pattern`, or one below it (`scan` means all of its cases).
 * @param {readonly FoundCase[]} cases @param {readonly string[]} patterns none: all
 * @returns {Choice[]}
 */
export function choose(cases, patterns) {
  const all = cases.flatMap((found) => found.contests.map((_, index) => ({ found, index })));
  if (patterns.length === 0) return all;
  for (const pattern of patterns)
    if (!all.some((choice) => matches(choice, pattern)))
      throw new RangeError(`no case is called ${pattern}; --list names them`);
  return all.filter((choice) => patterns.some((pattern) => matches(choice, pattern)));
}

/** @param {Choice} choice @param {string} pattern */
function matches({ found, index }, pattern) {
  const measures = found.contests[index]?.measures ?? [];
  return measures.some((measure) => `${lineName(found.name, measure)}.`.startsWith(`${pattern}.`));
}
