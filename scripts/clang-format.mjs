// Formats the C++ sources, or with --check says which are not.
//   node scripts/clang-format.mjs --write | --check
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const formatter = createRequire(import.meta.url).resolve('clang-format');
const sources = readdirSync(path.join(root, 'native'), { recursive: true })
  .filter((name) => /\.(cc|h|cu)$/.test(name))
  .map((name) => path.join('native', name));
if (sources.length === 0) throw new Error('found no C++ sources below native/');
const mode = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '-Werror'];
const { status } = spawnSync(process.execPath, [formatter, ...mode, ...sources], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
