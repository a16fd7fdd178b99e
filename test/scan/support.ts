// Trees to walk, and walks gathered for comparison.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { ScanBatch } from '../../src/scan/batch.js';
import { type ScanOptions, type ScanRoot, scan } from '../../src/scan/scan.js';

/** A fresh folder, removed after the test, or after the file where that is what `ended` waits for. */
export function temporaryFolder(ended: (remove: () => void) => void = onTestFinished): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'spillway-scan-'));
  // Not rmSync: it cannot remove paths longer than PATH_MAX.
  ended(() => void execFileSync('rm', ['-rf', folder]));
  return folder;
}

/** Makes files (and the folders they need) below `root`; a name that ends in `/` is a folder. */
export function makeTree(root: string, names: readonly string[]): string {
  const made = new Set<string>();
  for (const name of names) {
    const full = path.join(root, name);
    const folder = name.endsWith('/') ? full : path.dirname(full);
    if (!made.has(folder)) mkdirSync(folder, { recursive: true });
    made.add(folder);
    if (folder !== full) writeFileSync(full, name);
  }
  return root;
}

/** One line per record: its path below `root`, then its error code where it has one; sorted. */
export async function listed(root: string, options: ScanOptions = {}, roots: ScanRoot[] = [root]) {
  const lines: string[] = [];
  for await (const batch of scan(roots, options))
    for (const file of batch) {
      const name = file.path.startsWith(`${root}/`) ? file.path.slice(root.length + 1) : file.path;
      lines.push(file.error ? `${name} ${file.error.code}` : name);
    }
  return lines.sort();
}

/** Every path's raw bytes in hexadecimal, sorted. */
export async function rawPaths(roots: ScanRoot | ScanRoot[], options: ScanOptions = {}): Promise<string[]> {
  const paths: string[] = [];
  for await (const batch of scan(roots, options))
    for (const file of batch) paths.push(file.pathBytes.toString('hex'));
  return paths.sort();
}

export async function batchesOf(roots: ScanRoot, options: ScanOptions = {}): Promise<ScanBatch[]> {
  const batches: ScanBatch[] = [];
  for await (const batch of scan(roots, options)) batches.push(batch);
  return batches;
}
