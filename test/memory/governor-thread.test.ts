// What only a thread of its own can do: free storage while JavaScript is blocked, and outlive what ends.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { PressureEvent } from '../../src/contract/index.js';
import { native } from '../../src/native/load.js';
import { overNative } from '../support/paths.js';
import { MB, PressureFixture } from './pressure-fixture.js';

const { governor, ledger } = native();
const LOADER = fileURLToPath(new URL('../../dist/native/load.js', import.meta.url));

/** Runs JavaScript over the compiled code in a process of its own; `native` and `plan` are there. */
function runProgram(code: string, fixture: PressureFixture) {
  const program = `const { native } = await import(${JSON.stringify(LOADER)});
    const plan = ${JSON.stringify({ ...fixture.plan(), residentBytes: 1e15 })}; ${code}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.once('close', (exitCode) => resolve({ code: exitCode, output })),
  );
  return { child, ended, output: () => output };
}

afterEach(() => {
  governor.stop();
  governor.configure(undefined);
});

// The JavaScript path has a timer instead of a thread.
describe.runIf(overNative)('governor thread', () => {
  it('frees a cache while JavaScript is blocked', async () => {
    using fixture = PressureFixture.group(1000 * MB, 100 * MB);
    const cache = native().openCache({ name: '', maxBytes: 100 * MB, ttlMs: 0, manualClock: false });
    governor.configure(fixture.plan());
    for (let i = 0; i < 1000; i++) cache.set(`entry ${i}`, new Uint8Array(60_000), -1);
    const { usedBytes } = cache.stats();
    const events: PressureEvent[] = [];
    governor.start((event) => events.push(event));
    // Another process lowers the limit in the middle of the block.
    const limit = JSON.stringify(fixture.path('cgroup/memory/job/memory.limit_in_bytes'));
    const lowers = `setTimeout(() => { const fs = require('fs'), f = fs.openSync(${limit}, 'r+');
      const at = Date.now(); fs.writeSync(f, '110000000\\n\\n', 0); console.log(at); }, 200)`;
    const child = spawn(process.execPath, ['-e', lowers], { stdio: ['ignore', 'pipe', 'inherit'] });
    const loweredAt = new Promise<number>((resolve) =>
      child.stdout.once('data', (text) => resolve(Number(text))),
    );
    const before = governor.figures().freedBytes;
    const began = Date.now();
    while (Date.now() - began < 10_000 && governor.figures().freedBytes < before + 13 * MB);
    const ended = Date.now() + 1; // of which it tells whole milliseconds
    expect(cache.stats().usedBytes).toBeLessThan(usedBytes - 13 * MB);
    expect(events).toEqual([]);
    await vi.waitFor(() => expect(events.some(({ kind }) => kind === 'freed')).toBe(true));
    const freed = events.find(({ kind }) => kind === 'freed');
    expect(freed?.reading.at).toBeGreaterThanOrEqual(await loweredAt);
    expect(freed?.reading.at).toBeLessThanOrEqual(ended);
    cache.clear();
  });

  it('says that samples are missing after the process was stopped, and goes on', async () => {
    using fixture = PressureFixture.group(100 * MB, 10 * MB);
    const { child, ended, output } = runProgram(
      `native().governor.configure(plan);
       native().governor.start(({ kind, reason }) => { if (kind === 'signal') { console.log(reason); process.exit(); } });
       setTimeout(() => console.log('up'), 300);
       setTimeout(() => process.exit(1), 20_000);`,
      fixture,
    );
    await vi.waitFor(() => expect(output()).toContain('up'), { timeout: 20_000 });
    child.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    child.kill('SIGCONT');
    const { code, output: all } = await ended;
    expect(all).toMatch(/no sample was taken for \d{3,5} ms: this process was stopped/);
    expect(code).toBe(0);
  });

  it('does not keep the process alive, and lets it exit in the middle of an event', async () => {
    using fixture = PressureFixture.group(100 * MB, 99 * MB);
    const listens = `native().governor.configure(plan); native().governor.start((event) => console.log(event.kind));`;
    const left = await runProgram(listens, fixture).ended;
    expect(left.code).toBe(0);
    const exits = `${listens} native().governor.start(() => process.exit(7)); setInterval(() => {}, 1000);`;
    expect((await runProgram(exits, fixture).ended).code).toBe(7);
  });

  it('hands what a listener throws to the process', async () => {
    using fixture = PressureFixture.group(100 * MB, 99 * MB);
    const throws = `process.on('uncaughtException', (error) => { console.log(error.message); process.exit(3); });
      native().governor.configure(plan); native().governor.start(() => { throw new Error('mine'); });
      setInterval(() => {}, 1000);`;
    expect(await runProgram(throws, fixture).ended).toEqual({ code: 3, output: 'mine\n' });
  });

  it('takes a plan back with the worker that made it, and tells it no more', async () => {
    using fixture = PressureFixture.group(100 * MB, 99 * MB);
    const code = `const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.loader).then(({ native }) => {
        native().governor.configure(workerData.plan);
        native().governor.start(() => undefined);
        parentPort.postMessage('up');
      });
      setInterval(() => {}, 1000);`;
    for (let i = 0; i < 5; i++) {
      const worker = new Worker(code, {
        eval: true,
        workerData: { loader: LOADER, plan: fixture.plan() },
        env: { ...process.env },
      });
      await new Promise((resolve) => worker.once('message', resolve));
      expect(ledger.limit(0)).toBe(100 * MB);
      await worker.terminate();
      expect(ledger.limit(0)).toBe(Number.POSITIVE_INFINITY);
    }
  });
});
