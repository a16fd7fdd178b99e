// Data sets: made once, the same everywhere, kept below the system's folder for temporary files.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Where data, and nothing else, is kept. */
export const DATA = path.join(os.tmpdir(), 'spillway-bench');

/**
 * The folder of a data set; made by `make` unless it is there and complete.
 * @param {string} name says all that its content depends on
 * @param {(folder: string) => unknown} make
 */
export async function dataSet(name, make) {
  const folder = path.join(DATA, name);
  const complete = `${folder}.complete`;
  if (existsSync(complete) && existsSync(folder)) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await make(folder);
  writeFileSync(complete, '');
  return folder;
}

/** An empty folder that nobody else uses. @param {string} name */
export function scratchFolder(name) {
  const folder = path.join(DATA, 'scratch', `${name}-${process.pid}-${serial++}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

let serial = 0;
