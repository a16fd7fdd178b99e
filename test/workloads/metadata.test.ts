import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Result, Workload } from '../../src/pipeline/workload.js';
import { scan } from '../../src/scan/scan.js';
import { Spillway } from '../../src/spillway.js';
import { auto } from '../../src/workloads/auto.js';
import { metadata } from '../../src/workloads/metadata.js';
import { makePhotos } from '../support/photos.js';

const MB = 2 ** 20;
let dir: string;
const lines = 'a line of five words\n'.repeat(200_000);

beforeAll(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-metadata-'));
  const write = (name: string, bytes: string | Buffer) => writeFileSync(path.join(dir, name), bytes);
  write('empty', '');
  write('small.txt', 'grün ist\nschön\n');
  write('large.txt', lines);
  write('blob', Buffer.from([0, 1, 2, 3]));
  write('image.fits', `SIMPLE  =                    T${' '.repeat(50)}`.padEnd(2880));
  write('sparse', '');
  truncateSync(path.join(dir, 'sparse'), 40 * MB);
  await makePhotos(path.join(dir, 'photos'), 2);
});
afterAll(() => rmSync(dir, { recursive: true }));

async function run(workload: Workload, cacheDir?: string) {
  await using spillway = await Spillway.open(cacheDir ? { cacheDir } : {});
  const job = spillway.run(scan(dir, { stat: true, exclude: 'cache' }), workload);
  const results = new Map<string, Result>();
  for await (const result of job) results.set(path.basename(result.path), result);
  return { results, stats: job.stats(), snapshot: spillway.memory.snapshot() };
}

describe('metadata', () => {
  it('tells type, hash, encoding, lines and words', async () => {
    const { results } = await run(metadata());
    expect(results.size).toBe(8);
    const of = (name: string) => results.get(name);
    expect(of('empty')).toMatchObject({ kind: 'file', size: 0, data: { mime: 'application/x-empty' } });
    expect(of('small.txt')).toMatchObject({
      data: { mime: 'text/plain', text: { encoding: 'utf-8', bom: false, lines: 2, words: 3 } },
    });
    expect(of('large.txt')).toMatchObject({
      size: lines.length,
      sha256: createHash('sha256').update(lines).digest('hex'),
      data: { mime: 'text/plain', text: { encoding: 'ascii', lines: 200_000, words: 1_000_000 } },
    });
    expect(of('blob')).toMatchObject({ data: { mime: 'application/octet-stream' } });
    expect(of('blob')).not.toHaveProperty('data.text');
    expect(of('image.fits')).toMatchObject({ data: { mime: 'image/fits', extension: 'fits' } });
    expect(of('photo-000000.jpg')).toMatchObject({
      kind: 'file',
      data: { mime: 'image/jpeg', extension: 'jpg' },
    });
  });

  it('reads large files in pieces: hashed right, and never held whole', async () => {
    const { results, snapshot } = await run(metadata());
    expect(results.get('sparse')).toMatchObject({
      size: 40 * MB,
      sha256: createHash('sha256')
        .update(Buffer.alloc(40 * MB))
        .digest('hex'),
    });
    expect(snapshot.accounts.read?.peak).toBeLessThan(20 * MB);
    expect(snapshot.accounts.read).toMatchObject({ bytes: 0, reserved: 0 });
  });

  it('takes everything from the store the second time', async () => {
    const cache = path.join(dir, 'cache');
    const first = await run(metadata(), cache);
    const second = await run(metadata(), cache);
    expect(second.stats).toMatchObject({ files: 8, cached: 8, hitRate: 1 });
    for (const [name, result] of second.results)
      expect({ ...result, cached: false }).toEqual({ ...first.results.get(name), cached: false });
  });
});

describe('auto', () => {
  it('sends photos to photos and everything else to metadata', async () => {
    const { results, stats } = await run(auto());
    expect(results.get('photo-000001.jpg')).toMatchObject({
      kind: 'photo',
      data: { phash: expect.any(String) },
    });
    expect(results.get('small.txt')).toMatchObject({ kind: 'file', data: { text: { words: 3 } } });
    expect(stats.extra).toHaveProperty('nearDuplicates');
    expect(stats.served?.device).toBe('cpu');
  });
});
