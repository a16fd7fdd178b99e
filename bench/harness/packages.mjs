// Versions of the peers as installed: beside the benches, or beside spillway itself.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);

/** @param {string} name @returns {string} */
export function versionOf(name) {
  for (const folder of require.resolve.paths(name) ?? []) {
    const found = readVersion(path.join(folder, name, 'package.json'));
    if (found !== undefined) return found;
  }
  throw new Error(`expected ${name} to be installed`);
}

/** @param {string} file @returns {string | undefined} */
function readVersion(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).version;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return undefined;
    throw error;
  }
}
