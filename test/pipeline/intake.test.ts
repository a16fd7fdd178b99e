// Files on their way to a decoder while memory is short.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { MemoryManager } from '../../src/memory/manager.js';
import { Intake } from '../../src/pipeline/intake.js';
import type { FileEntry, OpenWorkload, Outcome } from '../../src/pipeline/workload.js';
import { Turns } from '../../src/util/turns.js';

const MB = 1e6;
const dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-intake-'));
afterAll(() => rmSync(dir, { recursive: true }));

function fileOf(name: string): FileEntry {
  const file = path.join(dir, name);
  writeFileSync(file, name);
  const { size, mtimeNs, ctimeNs, dev, ino } = statSync(file, { bigint: true });
  return { path: file, pathBytes: Buffer.from(file), size: Number(size), mtimeNs, ctimeNs, dev, ino };
}

/** Decodes to what the file says; a file named `large` takes 80 MB. */
const workload = {
  reads: 'whole',
  async inspect(bytes: Uint8Array) {
    const text = Buffer.from(bytes).toString();
    return {
      costBytes: text === 'large' ? 80 * MB : MB,
      keptBytes: 1000,
      prepare: async (whole: Uint8Array) => {
        const data = { text: Buffer.from(whole).toString() };
        return async () => ({ kind: 'file', data }) as Outcome;
      },
    };
  },
} as unknown as OpenWorkload;

it('refuses a file that finds no room although others have been read ahead, and lets those go on', async () => {
  using memory = new MemoryManager({ budget: process.memoryUsage.rss() + 160 * MB });
  // Nobody's account: what is left is less than the large file would need, and will stay so.
  const others = Buffer.alloc(120 * MB, 1);
  const intake = new Intake(workload, memory, new Turns(() => 1), new AbortController().signal);
  const large = await intake
    .take(fileOf('large'), async () => undefined)
    .then(async (taken) =>
      'finish' in taken ? taken.finish().catch((error: { code: string }) => error) : taken,
    );
  expect(large).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED' });

  let waits: Promise<unknown> = Promise.resolve();
  const small = intake.take(fileOf('small'), async () => {
    // It has been read, and is looked up, when the large one begins to wait for room.
    waits = intake.take(fileOf('large'), async () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 30));
    return undefined;
  });
  const taken = await small;
  expect('finish' in taken && (await taken.finish())).toMatchObject({ data: { text: 'small' } });
  const refused = (await waits) as { finish: () => Promise<Outcome> };
  await expect(refused.finish()).rejects.toThrow(expect.objectContaining({ code: 'ERR_BUDGET_EXCEEDED' }));
  expect(memory.snapshot().accounts).toMatchObject({ read: { bytes: 0 }, decode: { reserved: 0 } });
  expect(others.length).toBe(120 * MB);
});
