// Shared libraries for tests, built where there is a compiler.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** Whether libraries can be built here; say so where a test is skipped. */
export const hasCompiler = spawnSync('c++', ['--version']).status === 0;

/** Builds `source`, a path below the repository, and returns the library's path, which names what it was made of. */
export function buildLibrary(source: string, ...flags: string[]): string {
  const file = path.join(ROOT, source);
  const digest = createHash('sha256').update(readFileSync(file)).update(flags.join('\0')).digest('hex');
  const library = path.join(ROOT, 'build', `${path.parse(file).name}-${digest.slice(0, 16)}.so`);
  if (existsSync(library)) return library;
  mkdirSync(path.dirname(library), { recursive: true });
  const partial = `${library}.${process.pid}`;
  const args = ['-std=c++20', '-shared', '-fPIC', '-I', path.join(ROOT, 'native'), '-o', partial, file];
  execFileSync('c++', [...args, ...flags], { stdio: 'pipe' });
  renameSync(partial, library); // whoever else builds it meanwhile makes the same
  return library;
}
