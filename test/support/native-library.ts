// Shared libraries for tests, built where there is a compiler.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** Whether libraries can be built here; say so where a test is skipped. */
export const hasCompiler = spawnSync('c++', ['--version']).status === 0;

/**
 * Builds `test/native/<source>.cc` and returns the library's path, in a folder that is named by what it was made of, so
 * that it is built once. `flags` come after the source; those that name files must name them by their content.
 */
export function buildLibrary(source: string, { name = `${source}.so`, flags = [] as string[] } = {}): string {
  const file = path.join(ROOT, 'test/native', `${source}.cc`);
  const digest = createHash('sha256').update(readFileSync(file)).update(flags.join('\0')).digest('hex');
  const library = path.join(ROOT, 'build', `${source}-${digest.slice(0, 16)}`, name);
  if (existsSync(library)) return library;
  mkdirSync(path.dirname(library), { recursive: true });
  const partial = `${library}.${process.pid}`;
  const args = ['-std=c++20', '-shared', '-fPIC', '-I', path.join(ROOT, 'native'), '-o', partial, file];
  execFileSync('c++', [...args, ...flags], { stdio: 'pipe' });
  renameSync(partial, library); // whoever else builds it meanwhile makes the same
  return library;
}
