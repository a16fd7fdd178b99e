import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeHeapSnapshot } from '../../src/observe/heap-snapshot.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'spillway-heap-'));
const inside = (name: string) => path.join(folder, name);

afterAll(() => rmSync(folder, { recursive: true }));

it('writes a snapshot that only its owner can read', async () => {
  const file = inside('a.heapsnapshot');
  const bytes = await writeHeapSnapshot(file);
  const stat = statSync(file);
  expect(stat.size).toBe(bytes);
  expect(stat.mode & 0o777).toBe(0o600);
  const { snapshot, nodes } = JSON.parse(readFileSync(file, 'utf8'));
  expect(nodes.length).toBe(snapshot.node_count * snapshot.meta.node_fields.length);
});

it('never writes over a file, nor through a link', async () => {
  writeFileSync(inside('kept'), 'as it was');
  symlinkSync(inside('nowhere'), inside('link'));
  for (const name of ['kept', 'link'])
    await expect(writeHeapSnapshot(inside(name))).rejects.toMatchObject({ code: 'EEXIST' });
  expect(readFileSync(inside('kept'), 'utf8')).toBe('as it was');
  expect(readdirSync(folder)).not.toContain('nowhere');
});

it('says what it could not write to', async () => {
  await expect(writeHeapSnapshot(inside('no/such/folder'))).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(writeHeapSnapshot('')).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
});
