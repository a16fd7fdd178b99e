// Builds the addon with cmake-js and copies it where node-gyp-build looks for it.
//   node scripts/build-native.mjs [--out build/Release]
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);

/** Why the addon cannot be built here, or undefined where it can. */
export function whyNotBuildable() {
  if (process.platform !== 'linux') return `the addon is for Linux, this is ${process.platform}`;
  for (const tool of ['cmake', 'c++', 'make'])
    if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).status !== 0) return `${tool} is not installed`;
  return undefined;
}

/**
 * Compiles and copies the addon into `out`; throws where the compiler fails. With `sanitize` (see CMakeLists.txt)
 * CMake works beside `out`, so that the plain build stays as it is.
 */
export function buildNative({ out = path.join(root, 'build', 'Release'), sanitize = '' } = {}) {
  const cmakeJs = require.resolve('cmake-js/bin/cmake-js');
  const folder = sanitize ? path.join(out, 'cmake') : path.join(root, 'build-cmake');
  const args = [cmakeJs, 'compile', '-O', folder, '--CDCMAKE_EXPORT_COMPILE_COMMANDS=ON'];
  args.push(`--CDSPILLWAY_SANITIZE=${sanitize}`);
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, CMAKE_BUILD_PARALLEL_LEVEL: process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? '2' },
  });
  if (status !== 0) throw new Error(`cmake-js failed with exit code ${status}`);
  mkdirSync(out, { recursive: true });
  // Replaced by rename: overwriting the file in place would crash a process that has it mapped.
  const target = path.join(out, 'spillway.node');
  copyFileSync(path.join(folder, 'Release', 'spillway.node'), `${target}.tmp`);
  renameSync(`${target}.tmp`, target);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf('--out');
  buildNative(at < 0 ? {} : { out: path.resolve(process.argv[at + 1]) });
}
