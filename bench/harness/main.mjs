// The command: which cases, what stands in their way, one line for each measure.
import { parseArgs } from 'node:util';
import { choose, findCases } from './cases.mjs';
import { contextOf, installPeers, whyStale } from './prerequisites.mjs';
import { runChoices } from './run-cases.mjs';
import { table } from './table.mjs';

const CASES = new URL('../cases', import.meta.url).pathname;
const USAGE = `usage: npm run bench -- [case…] [--quick] [--json]
       npm run bench -- --list`;

/**
 * @param {readonly string[]} argv
 * @param {{ folder?: string, print?: (text: string) => void }} [options] `folder`: where the cases lie
 * @returns {Promise<number>} exit code: 0 every case ran or was skipped, 1 one failed, 2 bad arguments or not built
 */
export async function main(argv, { folder = CASES, print = (text) => console.log(text) } = {}) {
  const args = argumentsOf(argv);
  if (!args) return 2;
  const cases = await findCases(folder);
  if (args.list) {
    for (const { name } of cases) print(name);
    return 0;
  }
  const problem = whyStale();
  if (problem) return complain(problem);
  let choices;
  try {
    choices = choose(cases, args.patterns);
    installPeers();
  } catch (error) {
    return complain(error instanceof Error ? error.message : String(error));
  }
  const tell = (/** @type {object} */ line) => print(args.json ? JSON.stringify(line) : table(line));
  return (await runChoices(choices, await contextOf(args.quick), tell)) > 0 ? 1 : 0;
}

/** @param {readonly string[]} argv */
function argumentsOf(argv) {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, list: { type: 'boolean' } },
    });
    return {
      json: values.json === true,
      quick: values.quick === true,
      list: values.list === true,
      patterns: positionals,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    return undefined;
  }
}

/** @param {string} problem */
function complain(problem) {
  console.error(`bench: ${problem}`);
  return 2;
}
