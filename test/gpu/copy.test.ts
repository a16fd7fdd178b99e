import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { doubled, useDouble, withDouble } from './double.js';

describe.runIf(doubled)('a file on its way to a device', () => {
  useDouble();

  function fileOf(bytes: Uint8Array): string {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'spillway-upload-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'bytes');
    writeFileSync(file, bytes);
    return file;
  }
  /** Of 128 MiB: so large that every lane takes its blocks again. */
  function largeFile(): string {
    const file = fileOf(new Uint8Array());
    truncateSync(file, 2 ** 27);
    return file;
  }
  const numbered = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 12)) & 255);

  it('arrives whole, whatever the number of blocks, and from the offset asked for', () => {
    const length = 9 * 2 ** 20 + 5;
    const file = fileOf(numbered(length));
    const { said } = withDouble(`
      import { readFileSync } from 'node:fs';
      const bytes = readFileSync(${JSON.stringify(file)});
      for (const [size, offset] of [[bytes.length, 0], [1, 0], [2 ** 22, 5], [3, bytes.length - 3]]) {
        const memory = await gpu.pool(0).allocate(size);
        await memory.uploadFile(${JSON.stringify(file)}, { offset });
        const back = new Uint8Array(size);
        await memory.download(back);
        say(Buffer.compare(back, bytes.subarray(offset, offset + size)));
      }`);
    expect(said).toEqual([0, 0, 0, 0]);
  });

  it('is an error where it ends early, is not there, or the device is lost', () => {
    const file = fileOf(new Uint8Array(900));
    const { said } = withDouble(`
      const memory = await gpu.pool(0).allocate(1000);
      say(await failure(memory.uploadFile(${JSON.stringify(file)})));
      say(await failure(memory.uploadFile('/nowhere')));
      const whole = await gpu.pool(0).allocate(900);
      process.env.FAKE_GPU_FAIL = 'cuMemcpyHtoDAsync=999';
      say(await failure(whole.uploadFile(${JSON.stringify(file)})));
      memory.release();
      say(await failure(() => memory.uploadFile(${JSON.stringify(file)})));`);
    const codes = said.map((error) => (error as { code: string }).code);
    expect(codes).toEqual(['ERR_TRUNCATED', 'ENOENT', 'ERR_DEVICE_LOST', 'ERR_CLOSED']);
  });

  it('charges its pinned memory to the host, and a trim gives it back', () => {
    const file = fileOf(new Uint8Array(1000));
    const { said, calls } = withDouble(`
      import { native } from ${JSON.stringify(path.resolve(import.meta.dirname, '../../dist/native/load.js'))};
      const staging = () => native().ledger.snapshot().find(({ name }) => name === 'gpu.staging')?.bytes;
      const memory = await gpu.pool(0).allocate(1000);
      await memory.uploadFile(${JSON.stringify(file)});
      say(staging()); await gpu.trim(); say(staging());
      native().ledger.setLimit(0, 1000);
      say(await failure(memory.uploadFile(${JSON.stringify(file)})));`);
    expect(said.slice(0, 2)).toEqual([8 * 2 ** 20, 0]);
    expect(said[2]).toMatchObject({ code: 'ERR_BUDGET_EXCEEDED' });
    expect(calls.filter((call) => /Host(Alloc)?$/.test(call))).toEqual([
      'cuMemHostAlloc',
      'cuMemHostAlloc',
      'cuMemFreeHost',
      'cuMemFreeHost',
    ]);
  });

  it('is copied no further where its thread is ended, and the process goes on', () => {
    const file = JSON.stringify(largeFile());
    const { said, calls } = withDouble(
      `
      import { readFileSync } from 'node:fs';
      import { Worker } from 'node:worker_threads';
      const code = \`import(${JSON.stringify(path.resolve(import.meta.dirname, '../../dist/gpu/gpu.js'))}).then(async ({ gpu }) => {
        const memory = await gpu.pool(0).allocate(2 ** 27);
        await memory.uploadFile(${file});
      })\`;
      const worker = new Worker(code, { eval: true });
      const copies = () => readFileSync(process.env.FAKE_GPU_LOG, 'utf8').match(/cuMemcpyHtoDAsync/g)?.length ?? 0;
      (await gpu.pool(0).allocate(1)).release();
      while (copies() === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      await worker.terminate();
      // Whatever still copies goes on for as long as it likes.
      for (let before = 0; before < copies(); await new Promise((resolve) => setTimeout(resolve, 200))) before = copies();
      say(await failure(async () => (await gpu.pool(0).allocate(8)).release()) ?? 'works');
      say(gpu.pool(0).stats().allocations);`,
      { FAKE_GPU_COPY_MS: '30' },
    );
    expect(said).toEqual(['works', 0]);
    expect(calls.filter((call) => call === 'cuMemcpyHtoDAsync').length).toBeLessThan(2 ** 27 / 2 ** 22);
  });

  it('arrives through as little pinned memory as the budget has room for', () => {
    const { said, calls } = withDouble(`
      import { native } from ${JSON.stringify(path.resolve(import.meta.dirname, '../../dist/native/load.js'))};
      const memory = await gpu.pool(0).allocate(2 ** 27);
      native().ledger.setLimit(0, 12 * 2 ** 20);
      say(await failure(memory.uploadFile(${JSON.stringify(largeFile())})) ?? 'well');`);
    expect(said).toEqual(['well']);
    expect(calls.filter((call) => call === 'cuMemHostAlloc')).toHaveLength(2);
  });
});
