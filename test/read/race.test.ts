// Reading while somebody writes: SPILLWAY_RACE_READS=10000 for the full count.
import { once } from 'node:events';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { openChunks } from '../../src/read/chunks.js';
import { readFiles } from '../../src/read/files.js';
import { codeOf } from '../../src/util/errors.js';
import { temporaryFolder } from './support.js';

const READS = Number(process.env.SPILLWAY_RACE_READS || 500);
const BLOCKS = 40_000;
const file = path.join(temporaryFolder(), 'busy');

async function startWriter(): Promise<void> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { file, blocks: BLOCKS, stop: stop.buffer };
  const writer = new Worker(new URL('./race-writer.mjs', import.meta.url), { workerData });
  onTestFinished(async () => {
    const exited = once(writer, 'exit');
    Atomics.store(stop, 0, 1);
    Atomics.notify(stop, 0);
    expect(await exited).toEqual([0]);
  });
  await once(writer, 'message');
}

/** Throws where the bytes are not the beginning of one version. */
function expectOneVersion(bytes: Uint8Array, from: number, version: number | undefined): number | undefined {
  const words = new Uint32Array(Uint8Array.from(bytes).buffer);
  for (let i = 0; i < words.length; i += 2) {
    version ??= words[0];
    if (words[i] !== version || words[i + 1] !== from / 8 + i / 2)
      throw new Error(`torn: block ${from / 8 + i / 2} is ${words[i]}/${words[i + 1]} in version ${version}`);
  }
  return version;
}

async function readChunks(turn: number): Promise<void> {
  let version: number | undefined;
  for await (const chunk of openChunks(file, { chunkBytes: 8 * (1000 + (turn % 7) * 9000) })) {
    version = expectOneVersion(chunk.bytes, chunk.offset, version);
    if (turn % 4 === 0) await setImmediate();
  }
}

async function readGroups(): Promise<string[]> {
  const outcomes: string[] = [];
  for await (const group of readFiles([file, file, file]))
    for (let i = 0; i < group.length; i++) {
      expectOneVersion(group.bytesAt(i), 0, undefined);
      outcomes.push(group.errorAt(i)?.code ?? 'read');
    }
  return outcomes;
}

it(
  'yields one version, whole, or a typed error, whatever a writer does meanwhile',
  async () => {
    await startWriter();
    const seen: Record<string, number> = {};
    const count = (outcome: string) => {
      seen[outcome] = (seen[outcome] ?? 0) + 1;
    };
    const changed = () => (seen.ERR_FILE_CHANGED ?? 0) + (seen.ERR_TRUNCATED ?? 0);
    const end = performance.now() + 20_000;
    // Quick reads may all fall between two changes: then some more.
    for (let turn = 0; turn < READS || (changed() === 0 && performance.now() < end); turn++) {
      if (turn % 2 === 0) for (const outcome of await readGroups()) count(outcome);
      else
        await readChunks(turn).then(
          () => count('read'),
          (error) => count(codeOf(error) ?? String(error)),
        );
    }
    if (READS > 500) console.log(JSON.stringify(seen));
    const typed = ['read', 'ERR_FILE_CHANGED', 'ERR_TRUNCATED', 'ENOENT'];
    expect(Object.keys(seen).filter((outcome) => !typed.includes(outcome))).toEqual([]);
    expect(seen.read).toBeGreaterThan(READS / 4);
    expect(changed()).toBeGreaterThan(0);
  },
  30_000 + READS * 60,
);
