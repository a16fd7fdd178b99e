// Killed at any instant, a job goes on: SPILLWAY_KILL_PHOTOS=2000 SPILLWAY_KILLS=10 for the full count.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDatabase } from '../../src/cache/disk-sqlite.js';
import { lines, spillway, start } from '../support/cli.js';
import { makePhotos } from '../support/photos.js';

const PHOTOS = Number(process.env.SPILLWAY_KILL_PHOTOS ?? 150);
const KILLS = Number(process.env.SPILLWAY_KILLS ?? 4);
const SEED = Number(process.env.SPILLWAY_SEED ?? Date.now() % 1e6);
const dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-kill-'));
const cache = path.join(dir, 'cache');

beforeAll(() => makePhotos(path.join(dir, 'photos'), PHOTOS), 120_000);
afterAll(() => rmSync(dir, { recursive: true }));

/** Results in the store, counted by SQLite itself: photos are kept by content, under keys of 48 bytes. */
function stored(): number {
  const database = openDatabase(path.join(cache, 'cache.sqlite'));
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE name = 'entries'").all();
    if (tables.length === 0) return 0; // killed before it was laid out
    return Number(
      database.prepare('SELECT count(*) AS count FROM entries WHERE length(key) = 48').all()[0]?.count,
    );
  } finally {
    database.close();
  }
}

/** mulberry32, so that a failing run can be repeated from its seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

it(
  `survives ${KILLS} SIGKILLs: every file once, nothing stored is computed again (seed ${SEED})`,
  async () => {
    console.log(`seed ${SEED}`);
    const next = random(SEED);
    const args = ['run', path.join(dir, 'photos'), '--cache', cache, '--out', path.join(dir, 'out.jsonl')];
    // From before the start-up is done to well into the work.
    const latestMs = 600 + (PHOTOS * 2) / KILLS;
    let before = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, ended } = start(args);
      await new Promise((resolve) => setTimeout(resolve, 400 + next() * latestMs));
      child.kill('SIGKILL');
      await ended;
      const now = existsSync(cache) ? stored() : 0;
      expect(now).toBeGreaterThanOrEqual(before);
      before = now;
    }
    const { code } = await spillway([...args, '--summary', path.join(dir, 'last.json')]);
    expect(code).toBe(0);
    const results = lines(readFileSync(path.join(dir, 'out.jsonl'), 'utf8'));
    expect(results.length).toBe(PHOTOS);
    expect(new Set(results.map((result) => result.path)).size).toBe(PHOTOS);
    const summary = JSON.parse(readFileSync(path.join(dir, 'last.json'), 'utf8')) as { cached: number };
    console.log(
      `${before} of ${PHOTOS} were stored after ${KILLS} kills, ${summary.cached} taken from the store`,
    );
    expect(summary.cached).toBe(before);
    expect(stored()).toBe(PHOTOS);
  },
  60_000 + PHOTOS * 200,
);
