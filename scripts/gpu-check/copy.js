// gpu.copy: a file in the page cache to the device, against the copy of as many bytes from pinned memory.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { makeLine } from '../../bench/harness/line.mjs';
import { ABOUT, library, limits } from './machine.js';

const BYTES = 2 ** 31;
const PIECE = 2 ** 24;
const RUNS = 9;

export async function checkCopy() {
  const { gpu } = await library('gpu/gpu.js');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'spillway-gpu-check-'));
  const memory = await gpu.pool(0).allocate(BYTES);
  try {
    const file = path.join(folder, 'bytes');
    writeBytes(file);
    const times = [];
    for (let run = 0; run < RUNS; run++) {
      const begin = performance.now();
      await memory.uploadFile(file);
      times.push(performance.now() - begin);
    }
    await expectSame(file, memory);
    const value = (BYTES / limits().pinnedCopy) * 1e3;
    const target = { limit: { name: 'cuMemcpyAsync-pinned', value }, atMost: 1 / 0.9 };
    const measure = { metric: 'ms', better: 'lower', target };
    // The first two took pinned memory and met a cold link.
    return [
      makeLine('gpu.copy', measure, { ours: times.slice(2) }, { ...ABOUT, data: '2 GiB file, cached' }),
    ];
  } finally {
    memory.release();
    await gpu.trim();
    rmSync(folder, { recursive: true });
  }
}

function writeBytes(file) {
  const piece = Buffer.alloc(PIECE);
  for (let at = 0; at < PIECE; at += 4) piece.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
  const descriptor = openSync(file, 'w');
  for (let offset = 0; offset < BYTES; offset += PIECE) {
    piece.writeUInt32LE(offset / PIECE, 0);
    writeSync(descriptor, piece);
  }
  closeSync(descriptor);
}

async function expectSame(file, memory) {
  const copied = new Uint8Array(BYTES / 2);
  await memory.download(copied);
  const piece = Buffer.alloc(PIECE);
  const descriptor = openSync(file, 'r');
  for (let offset = 0; offset < copied.length; offset += PIECE) {
    readSync(descriptor, piece, 0, PIECE, offset);
    if (piece.compare(copied, offset, offset + PIECE) !== 0) throw new Error(`other bytes at ${offset}`);
  }
  closeSync(descriptor);
}
