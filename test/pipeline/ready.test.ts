// What a workload makes ready before its first file.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OpenWorkload, Workload } from '../../src/pipeline/workload.js';
import { scan } from '../../src/scan/scan.js';
import { Spillway } from '../../src/spillway.js';
import { SpillwayError } from '../../src/util/errors.js';

/** Files that have not changed for seconds, so that their results are trusted at once. */
const files = path.join(import.meta.dirname, '..', '..', 'samples', 'broken');
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-ready-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Tells what happened in its order; `ready` fails with `error` where there is one. */
function workload(error?: Error) {
  const events: string[] = [];
  const open: OpenWorkload = {
    fingerprint: 'ready/1',
    identity: 'stat',
    reads: 'whole',
    leastBytes: 1000,
    pending: 4,
    async ready() {
      events.push('begin');
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (error) throw error;
      events.push('ready');
    },
    async inspect() {
      events.push('file');
      return { costBytes: 1, keptBytes: 1, prepare: async () => async () => ({ kind: 'x', data: {} }) };
    },
    observe: () => undefined,
    served: () => undefined,
    summary: () => ({}),
    async [Symbol.asyncDispose]() {},
  };
  return { events, workload: { name: 'ready', open: async () => open } as Workload };
}

async function run(made: Workload, cacheDir?: string): Promise<number> {
  await using spillway = await Spillway.open(cacheDir ? { cacheDir } : {});
  let results = 0;
  for await (const _ of spillway.run(scan(files, { stat: true }), made, { workers: 3 })) results++;
  return results;
}

it('is ready once, before the first file', async () => {
  const { events, workload: made } = workload();
  expect(await run(made)).toBe(2);
  expect(events).toEqual(['begin', 'ready', 'file', 'file']);
});

it('makes nothing ready where all results are stored', async () => {
  const cache = path.join(dir, 'cache');
  await run(workload().workload, cache);
  const { events, workload: made } = workload();
  expect(await run(made, cache)).toBe(2);
  expect(events).toEqual([]);
});

it('ends the run with what went wrong, whatever its code', async () => {
  const { events, workload: made } = workload(new SpillwayError('ERR_OUT_OF_MEMORY', 'no room'));
  await expect(run(made)).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
  expect(events).toEqual(['begin']);
});
