// Builds what a clone needs: the TypeScript, the addon, and on Node without node:sqlite the SQLite driver.
//   node scripts/build.mjs
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { buildNative, whyNotBuildable } from './build-native.mjs';
import { buildSqlite } from './build-sqlite.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Compiles src/ into dist/; the exit code of the compiler. */
export function buildTypeScript() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  return spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
    .status;
}

if (buildTypeScript() !== 0) process.exit(1);
buildSqlite();
const reason = whyNotBuildable();
if (reason) console.log(`spillway: the native addon is not built (${reason}); the JavaScript path serves`);
else buildNative();
