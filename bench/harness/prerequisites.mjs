// What must be there before anything is timed: a build of this very source, and the peers.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BENCH = path.join(ROOT, 'bench');

/** Why what would be timed is not what the source says; undefined where it is. @returns {string | undefined} */
export function whyStale() {
  const remedy = 'run npm run build';
  for (const source of filesBelow(path.join(ROOT, 'src'), /\.ts$/)) {
    const compiled = path
      .join(ROOT, 'dist', path.relative(path.join(ROOT, 'src'), source))
      .replace(/\.ts$/, '.js');
    if (!existsSync(compiled)) return `${relative(compiled)} is missing: ${remedy}`;
    if (isOlder(compiled, source)) return `${relative(compiled)} is older than its source: ${remedy}`;
  }
  const addon = path.join(ROOT, 'build', 'Release', 'spillway.node');
  if (!existsSync(addon)) return undefined; // the JavaScript path is what serves then, and what is timed
  for (const source of filesBelow(path.join(ROOT, 'native'), /\.(cc|h|cu)$/))
    if (isOlder(addon, source)) return `the addon is older than ${relative(source)}: ${remedy}`;
  return undefined;
}

/** Installs the peers from bench/package-lock.json, unless they are there. */
export function installPeers() {
  const lock = path.join(BENCH, 'package-lock.json');
  const installed = path.join(BENCH, 'node_modules', '.package-lock.json');
  if (existsSync(installed) && !isOlder(installed, lock)) return;
  console.error('bench: installing the peers (npm ci in bench/)');
  const { status, error } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: BENCH,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0)
    throw new Error(`the peers could not be installed (${error?.message ?? `npm ci: exit code ${status}`})`);
}

/** @param {boolean} quick @returns {Promise<import('./types.js').Context>} */
export async function contextOf(quick) {
  const { native, nativeReport } = await import('../../dist/native/load.js');
  return { quick, native: nativeReport().loaded, cores: native().cores() };
}

/** @param {string} folder @param {RegExp} pattern */
function filesBelow(folder, pattern) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => pattern.test(name))
    .map((name) => path.join(folder, name));
}

/** @param {string} file @param {string} than */
function isOlder(file, than) {
  return statSync(file).mtimeMs < statSync(than).mtimeMs;
}

/** @param {string} file */
function relative(file) {
  return path.relative(ROOT, file);
}
