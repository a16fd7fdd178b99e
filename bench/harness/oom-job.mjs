// The photos job in a memory group: ours and the naive program, and what became of them.
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MemoryGroup, whyNoGroups } from './cgroup.mjs';
import { DATA, scratchFolder } from './data-sets.mjs';
import { bookedIn } from './memory-chart.mjs';
import { whyNoCompiler } from './native-program.mjs';
import { Watcher } from './watcher.mjs';

/**
 * @typedef {object} Ended
 * @property {number | null} code
 * @property {string | null} signal
 * @property {number} kills what the kernel counted in the group
 * @property {number} peak bytes charged at most, page cache included
 * @property {number} ms
 * @property {string} stderr
 * @property {import('./watcher.mjs').Seen[]} seen
 * @property {import('./memory-chart.mjs').Booked[]} booked
 * @property {Result[]} results
 *
 * @typedef {{ path: string, data?: Record<string, unknown>, error?: { code: string, message: string } }} Result
 */

/** Of the groups that the job is put into. */
export const LIMITS_MB = [128, 192, 256];

const fileAt = (/** @type {string} */ relative) => fileURLToPath(new URL(relative, import.meta.url));
const NAIVE = fileAt('../naive/photos.mjs');
const MODEL = fileAt('../../models/photo-features.onnx');
const CLI = fileAt('../../dist/cli/main.js');
const ACCOUNTS = new URL('../baselines/report-accounts.mjs', import.meta.url).href;
const OURS_DONE = [0, 1];
/** A job that hangs is a failure, not a long run. */
const HANG_MS = 300_000;

/** Why the job cannot be put to the test here. @param {{ native: boolean }} context */
export function whyNoJob({ native }) {
  return native ? (whyNoGroups() ?? whyNoCompiler()) : 'without the addon a child process runs the models';
}

/**
 * Our command line over `root`, with its default share of the limit. Rejects where it neither finished nor was killed
 * for want of memory.
 * @param {{ root: string, limit: number, workers?: number, watched?: boolean, each?: (group: MemoryGroup) => void }} job
 * `limit`: bytes, `Infinity` for none; `watched`: with accounts and a trace for a chart; `each`: called every second
 * @returns {Promise<Ended>}
 */
export async function runOurs({ root, limit, workers, watched = false, each }) {
  const scratch = scratchFolder('oom-ours');
  const out = path.join(scratch, 'out.jsonl');
  const accounts = path.join(scratch, 'accounts');
  const args = [
    ...(watched ? ['--import', ACCOUNTS] : []),
    ...[CLI, 'run', root, '--no-cache', '--json', '--out', out],
    ...(workers === undefined ? [] : ['--workers', String(workers)]),
  ];
  try {
    const env = watched ? { SPILLWAY_BENCH_ACCOUNTS: accounts } : {};
    const ended = await runIn({ name: 'ours', limit, args, env, watched, each });
    if (!OURS_DONE.includes(ended.code ?? -1) && ended.kills === 0)
      throw new Error(`spillway ended with ${ended.signal ?? ended.code}: ${ended.stderr.slice(-2000)}`);
    // Killed, it left what it had.
    const results = resultsIn(existsSync(out) ? out : `${out}.partial`);
    return { ...ended, booked: bookedIn(accounts), results };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/**
 * The naive program over `root`.
 * @param {{ root: string, limit: number, batch: number, concurrency: number, watched?: boolean, each?: (group: MemoryGroup) => void }} job
 * @returns {Promise<Ended>}
 */
export async function runNaive({ root, limit, batch, concurrency, watched = false, each }) {
  const scratch = scratchFolder('oom-naive');
  const out = path.join(scratch, 'out.jsonl');
  try {
    const args = [NAIVE, root, out, MODEL, String(batch), String(concurrency)];
    const ended = await runIn({ name: 'naive', limit, args, env: {}, watched, each });
    if (ended.code !== 0 && ended.kills === 0)
      throw new Error(
        `the naive program ended with ${ended.signal ?? ended.code}: ${ended.stderr.slice(-2000)}`,
      );
    return { ...ended, booked: [], results: resultsIn(out) };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/**
 * How one run's results differ from those of a run without a limit.
 * @param {readonly Result[]} results @param {readonly Result[]} reference
 * @returns {{ delivered: number, refused: Result[], wrong: string[] }} `refused`: for want of memory, and said so;
 * `wrong`: paths whose data differ, are missing, are there twice, or failed in another way
 */
export function compareResults(results, reference) {
  /** @type {Map<string, Result[]>} */
  const byPath = new Map();
  for (const result of results) byPath.set(result.path, [...(byPath.get(result.path) ?? []), result]);
  const refused = [];
  const wrong = [];
  let delivered = 0;
  for (const expected of reference) {
    const [result, ...more] = byPath.get(expected.path) ?? [];
    byPath.delete(expected.path);
    if (result?.error?.code === 'ERR_BUDGET_EXCEEDED' && more.length === 0) refused.push(result);
    else if (result && more.length === 0 && sameText(result, expected)) delivered++;
    else wrong.push(expected.path);
  }
  return { delivered, refused, wrong: [...wrong, ...byPath.keys()] };
}

/**
 * A folder of hard links to those photos of `root` that `keep` takes; the one of that name from before goes.
 * @param {string} root @param {string} name @param {(file: string) => boolean} keep
 */
export function linkedFolder(root, name, keep) {
  const folder = path.join(DATA, `linked-${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const file of readdirSync(root).filter(keep)) linkSync(path.join(root, file), path.join(folder, file));
  return folder;
}

/**
 * @param {{ name: string, limit: number, args: readonly string[], env: Record<string, string>, watched: boolean,
 *   each: ((group: MemoryGroup) => void) | undefined }} job
 * @returns {Promise<Omit<Ended, 'booked' | 'results'>>}
 */
async function runIn({ name, limit, args, env, watched, each }) {
  const group = new MemoryGroup(name, limit);
  const watcher = watched ? new Watcher(group) : undefined;
  const timer = each && setInterval(() => each(group), 1000);
  try {
    const start = performance.now();
    const child = group.spawn(process.execPath, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: HANG_MS,
      killSignal: 'SIGKILL',
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    const [code, signal] = await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (...ending) => resolve(ending));
    });
    const ms = performance.now() - start;
    return {
      code,
      signal,
      kills: group.kills,
      peak: group.peak,
      ms,
      stderr,
      seen: (await watcher?.stop()) ?? [],
    };
  } finally {
    clearInterval(timer);
    await watcher?.stop();
    await group.close();
  }
}

/** @param {string} file @returns {Result[]} */
function resultsIn(file) {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** @param {Result} a @param {Result} b */
const sameText = (a, b) => JSON.stringify(a) === JSON.stringify(b);
