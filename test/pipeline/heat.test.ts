// Runs on a machine that gets too hot.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ThermalManager } from '../../src/batch/thermal.js';
import type { ThermalOptions } from '../../src/batch/thermal-options.js';
import type { OpenWorkload, Result, Workload } from '../../src/pipeline/workload.js';
import { scan } from '../../src/scan/scan.js';
import { Spillway } from '../../src/spillway.js';
import { metadata } from '../../src/workloads/index.js';

const FILES = 40;
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-heat-'));
  for (let i = 0; i < FILES; i++) writeFileSync(path.join(dir, `f${i}`), 'x'.repeat(i + 1));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Long enough for a run of these files that nothing holds back. */
const moment = () => new Promise((resolve) => setTimeout(resolve, 100));

/** A manager that is as hot as it is told. */
function thermometer(first = 20) {
  let celsius = first;
  const sensor = { name: 'test', read: () => [{ name: 'chip', celsius }] };
  const thermal = new ThermalManager({ soft: 70, hard: 80, resume: 65, interval: '1h', sensors: [sensor] });
  const feel = async (heat: number) => {
    celsius = heat;
    await thermal.sample();
  };
  return { thermal, feel };
}

/** Calls `decode` for each file, and gives its length. */
function workloadOf(decode: () => Promise<void> | void): Workload {
  const open: OpenWorkload = {
    fingerprint: 'heat/1',
    identity: 'stat',
    reads: 'whole',
    leastBytes: 1000,
    pending: 4,
    async inspect() {
      const prepare = async ({ length }: Uint8Array) => {
        await decode();
        return async () => ({ kind: 'length', data: { length } });
      };
      return { costBytes: 1, keptBytes: 1, prepare };
    },
    observe: () => undefined,
    served: () => undefined,
    summary: () => ({}),
    async [Symbol.asyncDispose]() {},
  };
  return { name: 'heat', open: async () => open };
}

async function collect(run: AsyncIterable<Result>, results: Result[] = []): Promise<Result[]> {
  for await (const result of run) results.push(result);
  return results;
}

it('begins nothing while paused, goes on when it is cooler, and loses nothing', async () => {
  const { thermal, feel } = thermometer();
  let begun = 0;
  let begunWhileHot = 0;
  let paused: () => void = () => undefined;
  const pause = new Promise<void>((resolve) => {
    paused = resolve;
  });
  const made = workloadOf(async () => {
    if (thermal.state === 'hot') begunWhileHot++;
    if (++begun < 10) return;
    if (begun === 10) {
      // Meanwhile the others wait for their turn.
      await moment();
      await feel(85);
      paused();
    }
    await pause;
  });
  await using spillway = await Spillway.open({ thermal });
  const run = spillway.run(scan(dir, { stat: true }), made, { workers: 3 });
  const all = collect(run);
  await pause;
  await moment();
  const reason = 'test chip is at 85 °C: paused from 80 °C on, until it is below 65 °C';
  expect(run.progress().thermal).toEqual({ state: 'hot', reason });
  expect(begun).toBeLessThan(13);
  await feel(66);
  await moment();
  expect(begun).toBeLessThan(13);
  await feel(64);
  const results = await all;
  expect(begunWhileHot).toBe(0);
  expect(results.map(({ size }) => size).sort((a, b) => Number(a) - Number(b))).toEqual(
    Array.from({ length: FILES }, (_, i) => i + 1),
  );
  expect(results.every((result) => 'data' in result)).toBe(true);
  const { thermal: heat, failed } = run.stats();
  expect(failed).toBe(0);
  expect(heat).toMatchObject({ maxCelsius: 85, reason });
  expect(heat?.hot).toBeGreaterThan(0);
});

it('ends at once by abort while paused', async () => {
  const { thermal, feel } = thermometer();
  const abort = new AbortController();
  let begun = 0;
  const made = workloadOf(async () => {
    begun++;
    await feel(85);
  });
  await using spillway = await Spillway.open({ thermal });
  const run = spillway.run(scan(dir, { stat: true }), made, { workers: 3, signal: abort.signal });
  const all = collect(run);
  await moment();
  const before = begun;
  abort.abort(new Error('enough'));
  await expect(all).rejects.toThrow('enough');
  await run.ended;
  expect(begun).toBe(before);
  expect(spillway.memory.snapshot().accounts.decode).toMatchObject({ bytes: 0, reserved: 0 });
});

it('begins nothing in pieces either, where it was too hot from the start', async () => {
  const { thermal, feel } = thermometer(85);
  await thermal.sample();
  await using spillway = await Spillway.open({ thermal });
  const results: Result[] = [];
  const all = collect(spillway.run(scan(dir, { stat: true }), metadata(), { workers: 2 }), results);
  await moment();
  expect(results).toEqual([]);
  await feel(20);
  await all;
  expect(results).toHaveLength(FILES);
});

it('decodes fewer at once while slowed, and more as soon as it is cooler', async () => {
  const { thermal, feel } = thermometer(77);
  await thermal.sample();
  let working = 0;
  let most = 0;
  let mostWhileWarm = 0;
  let begun = 0;
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const made = workloadOf(async () => {
    most = Math.max(most, ++working);
    // From the twentieth on nobody gives a turn back until four have one.
    if (++begun === 20) {
      // Meanwhile all others wait for their turn.
      await moment();
      mostWhileWarm = most;
      await feel(20);
    }
    if (begun >= 20 && working === 4) release();
    await (begun >= 20 ? released : new Promise(setImmediate));
    working--;
  });
  await using spillway = await Spillway.open({ thermal });
  const run = spillway.run(scan(dir, { stat: true }), made, { workers: 4 });
  expect(await collect(run)).toHaveLength(FILES);
  expect([mostWhileWarm, most]).toEqual([1, 4]);
  expect(run.stats().thermal?.warm).toBeGreaterThan(0);
  expect(run.stats()).toMatchObject({ failed: 0, thermal: { reason: expect.stringMatching('slowed') } });
});

it.each<ThermalOptions | false>([{ sensors: [] }, false])('says nothing of heat with %o', async (thermal) => {
  await using spillway = await Spillway.open({ thermal });
  const run = spillway.run(
    scan(dir, { stat: true }),
    workloadOf(() => undefined),
  );
  await collect(run);
  expect(run.stats()).not.toHaveProperty('thermal');
  expect(run.progress()).not.toHaveProperty('thermal');
});

it('stops the manager that it made, and leaves one that it was given as it is', async () => {
  const { thermal, feel } = thermometer(85);
  const given = await Spillway.open({ thermal });
  await feel(85);
  await given.close();
  expect(thermal.state).toBe('hot');
  const sensors = [{ name: 'test', read: () => [{ name: 'chip', celsius: 99 }] }];
  const own = await Spillway.open({ thermal: { hard: 80, sensors } });
  await own.thermal?.sample();
  expect(own.thermal?.state).toBe('hot');
  await own.close();
  expect(own.thermal?.state).toBe('cool');
});

it.each([{ hard: 300 }, 'cool', true])('refuses %o for thermal', async (thermal) => {
  const error = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' });
  await expect(Spillway.open({ thermal: thermal as never })).rejects.toThrow(error);
});

it('keeps its process alive while it is paused, and lets it end after', () => {
  const url = (file: string) => JSON.stringify(path.resolve(import.meta.dirname, '../../dist', file));
  const script = `
    import { scan, Spillway, workloads } from ${url('index.js')};
    let reads = 0;
    const sensors = [{ name: 'test', read: () => [{ name: 'chip', celsius: ++reads < 20 ? 90 : 20 }] }];
    const spillway = await Spillway.open({ thermal: { hard: 80, interval: 5, sensors } });
    let files = 0;
    for await (const _ of spillway.run(scan(${JSON.stringify(dir)}, { stat: true }), workloads.metadata())) files++;
    console.log(files, reads >= 20);`;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 25_000,
  });
  expect({ stdout, status }).toEqual({ stdout: `${FILES} true\n`, status: 0 });
});
