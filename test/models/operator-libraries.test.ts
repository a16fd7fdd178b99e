// Custom operators: only from the bytes that were named, only in domains that were allowed.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModelCache } from '../../src/models/model-cache.js';
import { native } from '../../src/native/load.js';
import { buildLibrary, hasCompiler } from '../support/native-library.js';
import { overNative } from '../support/paths.js';
import { domain, graph, integer, message, model, node, text } from '../support/proto-model.js';

const DOMAIN = 'test.spillway';
const calling = model(
  graph({ nodes: [node('Tripled', ['x'], ['y'], domain(DOMAIN))] }),
  message(8, Buffer.concat([text(1, DOMAIN), integer(2, 1)])),
);
const x = { type: 'float32' as const, dims: [2], data: Float32Array.of(1, -2) };
const sha256 = async (file: string) =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

// Skipped where no compiler is there to make the library.
describe.runIf(overNative && hasCompiler)('libraries of custom operators', () => {
  const cache = new ModelCache({ engine: 'native', device: 'cpu', threads: 1, operatorDomains: [DOMAIN] });
  let folder: string;
  let library: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'spillway-operators-'));
    library = path.join(folder, 'operators.so');
    await copyFile(buildLibrary('custom-operators'), library);
  });
  afterEach(async () => {
    cache.clear();
    await rm(folder, { recursive: true });
  });
  afterAll(() => cache.close());

  const acquire = (digest: string, file = library) =>
    cache.acquire(calling, { operatorLibraries: [{ path: file, sha256: digest }] });
  const { ledger } = native();
  const held = () => ledger.held(ledger.account('models', 0));

  it('are not loaded where their bytes are others than those that were named', async () => {
    const before = held();
    const named = '0'.repeat(64);
    const found = await sha256(library);
    await expect(acquire(named)).rejects.toMatchObject({
      code: 'ERR_MODEL_REJECTED',
      message: `operator library '${library}': expected SHA-256 ${named} but it has ${found}`,
    });
    expect(held()).toBe(before);
    expect(await readFile('/proc/self/maps', 'utf8')).not.toContain('spillway-operators');
  });

  it('serve graphs that call them, and stay what they were when their file changes', async () => {
    const before = held();
    const digest = (await sha256(library)).toUpperCase();
    using called = await acquire(digest);
    expect(held()).toBe(before + called.bytes + (await stat(library)).size);
    expect(await readFile('/proc/self/maps', 'utf8')).toContain('memfd:spillway-operators');
    // Whoever had mapped the file itself would be killed by the next call.
    await truncate(library, 0);
    expect((await called.run({ x })).y?.data).toEqual(Float32Array.of(3, -6));
    cache.clear();
    using again = await acquire(digest);
    expect((await again.run({ x })).y?.data).toEqual(Float32Array.of(3, -6));
  });

  it('bring no domain that was not allowed', async () => {
    await using strict = new ModelCache({ engine: 'native', device: 'cpu', threads: 1 });
    const operatorLibraries = [{ path: library, sha256: await sha256(library) }];
    await expect(strict.acquire(calling, { operatorLibraries })).rejects.toMatchObject({
      code: 'ERR_MODEL_REJECTED',
      message: expect.stringMatching(
        /^graph\/make_y: operator 'Tripled' is of the domain 'test\.spillway', not/,
      ),
    });
  });

  it('are needed by the graphs that call them', async () => {
    await expect(cache.acquire(calling)).rejects.toMatchObject({
      code: 'ERR_MODEL_REJECTED',
      message: expect.stringContaining('test.spillway'),
    });
  });

  it('must be libraries of operators', async () => {
    await writeFile(library, 'no library at all');
    const rejected = { code: 'ERR_MODEL_REJECTED', message: expect.stringContaining(library) };
    await expect(acquire(await sha256(library))).rejects.toMatchObject(rejected);
    await writeFile(library, '');
    await expect(acquire(await sha256(library))).rejects.toMatchObject(rejected);
    const other = buildLibrary('no-operators');
    for (let i = 0; i < 2; i++)
      await expect(acquire(await sha256(other), other)).rejects.toMatchObject({
        code: 'ERR_MODEL_REJECTED',
        message: `operator library '${other}': it has no entry RegisterCustomOps`,
      });
  });

  it('must be files, and there', async () => {
    const digest = '1'.repeat(64);
    const pipe = path.join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const file of [pipe, folder, '/dev/zero'])
      await expect(acquire(digest, file), file).rejects.toMatchObject({ code: 'ERR_MODEL_REJECTED' });
    const missing = acquire(digest, path.join(folder, 'missing.so'));
    await expect(missing).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a library of custom operators', () => {
  it('is named by an absolute path and a digest', async () => {
    await using cache = new ModelCache({ device: 'cpu' });
    const named = (entry: { path: string; sha256: string }) =>
      cache.acquire(calling, { operatorLibraries: [entry] });
    await expect(named({ path: 'operators.so', sha256: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'expected an absolute path for acquire.operatorLibraries.0.path but received "operators.so"',
    });
    await expect(named({ path: '/operators.so', sha256: 'abc' })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringMatching(
        /^expected 64 hexadecimal digits for acquire\.operatorLibraries\.0\.sha256/,
      ),
    });
  });

  it('needs the native engine', async () => {
    await using cache = new ModelCache({ engine: 'stock', device: 'cpu', operatorDomains: [DOMAIN] });
    const operatorLibraries = [{ path: '/operators.so', sha256: '0'.repeat(64) }];
    await expect(cache.acquire(calling, { operatorLibraries })).rejects.toMatchObject({
      code: 'ERR_NATIVE_UNAVAILABLE',
      message: expect.stringMatching(/^operatorLibraries needs the native engine/),
    });
  });
});
