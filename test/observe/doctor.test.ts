import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/observe/doctor.js';
import { type Answer, collectMachineFacts, type MachineFacts } from '../../src/observe/machine-facts.js';
import { overNative } from '../support/paths.js';

const yes = <T>(value: T): Answer<T> => ({ ok: true, value });
const no = (message: string, code = 'ERR_MISSING_DEPENDENCY'): Answer<never> => ({
  ok: false,
  code,
  message,
});

/** A machine on which nothing is wrong. */
const GOOD: MachineFacts = {
  node: '22.13.0',
  platform: { os: 'linux', arch: 'x64', glibc: '2.36' },
  native: yes({ loaded: true, reason: '/package/spillway.node', capabilities: ['infer', 'gpu'] as const }),
  cores: yes({ usable: 4, machine: 4 }),
  memory: yes({ limit: 4e9, source: 'machine', workingSet: 1e9 }),
  sqlite: yes({ name: 'node:sqlite', version: '22.13.0' } as const),
  sharp: yes({ version: '0.35.5', libvips: '8.18.7' }),
  onnxruntime: yes({ version: '1.30.0' }),
  engine: yes({ name: 'native', version: '1.30.0', reason: 'the addon drives it' }),
  devices: yes({
    candidates: ['cpu'] as const,
    rejected: [{ device: 'cuda', reason: 'no driver' }] as const,
    gpus: [],
  }),
  cacheFolder: yes({ path: '/home/me/.spillway', exists: true, freeBytes: 1e12 }),
};

const found = (changes: Partial<MachineFacts>, name: string) =>
  diagnose({ ...GOOD, ...changes }).find((finding) => finding.name === name);

describe('the diagnosis', () => {
  it('finds nothing wrong with a good machine, and says why a GPU is not used', () => {
    const findings = diagnose(GOOD);
    expect(findings.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(findings.map(({ name }) => name)).toEqual([
      ...['node', 'platform', 'native addon', 'capabilities', 'cores', 'memory', 'sqlite', 'sharp'],
      ...['onnxruntime-node', 'engine', 'devices', 'cache folder'],
    ]);
    expect(found({}, 'devices')?.detail).toBe('cpu; not cuda: no driver');
  });

  it.each<[string, Partial<MachineFacts>, string, RegExp]>([
    ['an old Node', { node: '20.18.3' }, 'node', /Node 20\.19/],
    ['no sharp', { sharp: no('needs sharp') }, 'sharp', /^npm install sharp$/],
    [
      'no ONNX Runtime',
      { onnxruntime: no('not there') },
      'onnxruntime-node',
      /^npm install onnxruntime-node$/,
    ],
    ['an unsafe cache', { cacheFolder: no('is a link', 'ERR_CACHE_UNSAFE') }, 'cache folder', /--cache/],
    ['a demand it cannot meet', { native: no('did not load') }, 'native addon', /SPILLWAY_NATIVE/],
  ])('cannot do without what is missing: %s', (_, changes, name, remedy) => {
    expect(found(changes, name)).toMatchObject({
      status: 'missing',
      remedy: expect.stringMatching(remedy),
    });
  });

  it.each<[string, Partial<MachineFacts>, string, RegExp]>([
    ['no SQLite', { sqlite: no('needs better-sqlite3') }, 'sqlite', /npm install better-sqlite3@12/],
    ['musl', { platform: { os: 'linux', arch: 'x64', glibc: undefined } }, 'platform', /glibc/],
    [
      'no addon',
      { native: yes({ loaded: false, reason: 'No native build was found', capabilities: [] }) },
      'native addon',
      /npm run build/,
    ],
    ['little memory', { memory: yes({ limit: 512e6, source: 'cg', workingSet: 400e6 }) }, 'memory', /256 MB/],
    [
      'a full disk',
      { cacheFolder: yes({ path: '/c', exists: false, freeBytes: 1e6 }) },
      'cache folder',
      /room/,
    ],
    [
      'an idle GPU',
      { devices: yes({ candidates: ['cpu'], rejected: [{ device: 'cuda', reason: 'x' }], gpus: ['H200'] }) },
      'devices',
      /install script/,
    ],
    [
      'the child process',
      { engine: yes({ name: 'stock', version: '1.21.0', reason: 'another version is loaded' }) },
      'engine',
      /npm install onnxruntime-node/,
    ],
  ])('warns of what the main job can do without: %s', (_, changes, name, remedy) => {
    expect(found(changes, name)).toMatchObject({
      status: 'warning',
      remedy: expect.stringMatching(remedy),
    });
  });

  it('takes the oldest Node and a quota as they are', () => {
    expect(found({ node: '20.19.0' }, 'node')?.status).toBe('ok');
    expect(found({ cores: yes({ usable: 2, machine: 8 }) }, 'cores')).toMatchObject({
      status: 'ok',
      detail: '2 of 8 (affinity or CPU quota)',
    });
  });
});

it('collects the facts of this very machine', async () => {
  const facts = await collectMachineFacts('/nowhere/at/all');
  expect(facts).toMatchObject({
    node: process.versions.node,
    native: { ok: true, value: { loaded: overNative } },
    sharp: { ok: true },
    onnxruntime: { ok: true },
    engine: { ok: true, value: { name: overNative ? 'native' : 'stock' } },
    devices: { ok: true },
    cacheFolder: { ok: true, value: { exists: false } },
  });
});
