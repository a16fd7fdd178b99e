// Ending in the middle of reading must neither crash nor hang nor leave anything behind.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { collectGarbage } from '../../src/memory/garbage.js';
import { native } from '../../src/native/load.js';
import { openChunks } from '../../src/read/chunks.js';
import { readFiles } from '../../src/read/files.js';
import { overNative } from '../support/paths.js';
import { account, noise, openBelow, temporaryFolder, untilEqual } from './support.js';

const SCRIPT = new URL('./ending.mjs', import.meta.url);
const RUNS = Number(process.env.SPILLWAY_LIFECYCLE_RUNS || 12);
const dir = temporaryFolder();
for (let i = 0; i < 20; i++) writeFileSync(path.join(dir, `f${i}`), noise(i * 10_000));

it('a worker terminated while it reads leaves neither memory nor open files', async () => {
  const { ledger } = native();
  const read = ledger.account('read', 0);
  for (let i = 0; i < RUNS; i++) {
    const worker = new Worker(SCRIPT, { workerData: [dir] });
    await once(worker, 'message');
    await sleep(i * 3);
    await worker.terminate();
  }
  await untilEqual(() => ledger.held(read), 0);
  // Node loses the descriptor of an fs.open that ends after its worker was terminated; the addon does not.
  if (overNative) await untilEqual(() => openBelow(dir), 0);
});

it.each([
  ['exit', 7],
  ['throw', 1],
])('a process that ends by %s while it reads ends with code %i', (ending, status) => {
  for (let i = 0; i < RUNS / 4; i++) {
    const ended = spawnSync(process.execPath, [fileURLToPath(SCRIPT), dir, ending, String(i * 10)], {
      timeout: 30_000,
    });
    expect([ended.status, ended.signal]).toEqual([status, null]);
  }
});

it.runIf(overNative)('what is dropped without a release is freed by the collector', async () => {
  const { id, held } = account();
  const drop = async () => {
    const file = path.join(dir, 'f19');
    const chunk = await openChunks(file, { chunkBytes: 10_000, account: id })[Symbol.asyncIterator]().next();
    chunk.value?.retain();
    const group = await readFiles([file], { account: id }).next();
    group.value?.retain();
  };
  await drop();
  expect(held()).toBeGreaterThan(0);
  const end = performance.now() + 5000;
  while (held() > 0 && performance.now() < end) {
    collectGarbage();
    await sleep(5);
  }
  expect(held()).toBe(0);
});

it('copies serve where a runtime refuses external buffers', async () => {
  const file = path.join(dir, 'f19');
  const pieces: Buffer[] = [];
  const { id, held } = account();
  const reader = native().openChunkReader({
    path: Buffer.from(file),
    chunkBytes: 50_000,
    start: 0,
    end: Number.POSITIVE_INFINITY,
    slots: 2,
    sha256: false,
    account: id,
    lend: false,
  });
  for (let bytes = await reader.next(); bytes; bytes = await reader.next()) {
    pieces.push(Buffer.from(bytes));
    reader.retain(bytes.buffer);
    reader.release(bytes.buffer);
    expect(bytes.length).toBe(0);
  }
  expect(Buffer.concat(pieces).equals(readFileSync(file))).toBe(true);
  reader.close();
  await untilEqual(held, 0);
});
