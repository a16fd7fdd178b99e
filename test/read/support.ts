// Files to read, and readings gathered for comparison.
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, expect, onTestFinished } from 'vitest';
import { native } from '../../src/native/load.js';
import { type ChunkOptions, openChunks } from '../../src/read/chunks.js';
import { type ReadOptions, readFiles } from '../../src/read/files.js';
import type { FilePaths } from '../../src/read/path-feed.js';
import type { FilePath } from '../../src/read/paths.js';
import { overNative } from '../support/paths.js';

/** A fresh folder, removed after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'spillway-read-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}

export const code = (value: string) => expect.objectContaining({ code: value });

let seed = 1;
/** Bytes that repeat nowhere: no two stretches are mistaken for each other. */
export function noise(length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) {
    // xorshift32, Marsaglia 2003.
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    words[i] = seed;
  }
  return Buffer.from(words.buffer, 0, length);
}

/** All chunks of a file, copied and put together. */
export async function gathered(file: FilePath, options: ChunkOptions = {}) {
  const chunks = openChunks(file, options);
  const lengths: number[] = [];
  const pieces: Buffer[] = [];
  for await (const chunk of chunks) {
    expect(chunk.offset).toBe(Number(options.start ?? 0) + lengths.reduce((sum, length) => sum + length, 0));
    lengths.push(chunk.bytes.length);
    pieces.push(Buffer.from(chunk.bytes));
  }
  return { bytes: Buffer.concat(pieces), lengths, sha256: chunks.sha256, stat: chunks.stat };
}

/** Every file of a reading: its path, a copy of its bytes, or the code of its error. */
export async function readAll(paths: FilePaths, options: ReadOptions = {}) {
  const files: { path: string; bytes: Buffer; error: string | undefined; group: number }[] = [];
  let group = 0;
  for await (const each of readFiles(paths, options)) {
    for (let i = 0; i < each.length; i++) {
      const bytes = Buffer.from(each.bytesAt(i));
      files.push({ path: each.pathAt(i), bytes, error: each.errorAt(i)?.code, group });
    }
    group++;
  }
  return files;
}

/** What memory of `bytes` is charged: the addon's comes in pages. */
export const charged = (bytes: number) => (overNative ? Math.ceil(bytes / 4096) * 4096 : bytes);

let serial = 0;
/** A ledger account of a test's own; once the test is done it must be empty again. */
export function account(limit = Number.POSITIVE_INFINITY) {
  const { ledger } = native();
  const id = ledger.account(`read-test-${serial++}`, 0);
  ledger.setLimit(id, limit);
  onTestFinished(() => untilEqual(() => ledger.held(id), 0));
  return { id, held: () => ledger.held(id), peak: () => ledger.snapshot()[id]?.peak };
}

/** Waits for what other threads are about to do. */
export async function untilEqual<T>(value: () => T, expected: T): Promise<void> {
  const end = performance.now() + 5000;
  while (value() !== expected && performance.now() < end) await setImmediate();
  expect(value()).toEqual(expected);
}

/** How many files below `folder` this process holds open. */
export function openBelow(folder: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch (error) {
      // The descriptor that listed the folder is gone by now.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }).length;
}
