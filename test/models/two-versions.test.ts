// Two versions of onnxruntime-node in one program: they share a file name, so the second to come is in trouble.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { twoOutputsGraph } from '../support/graphs.js';
import { buildLibrary, hasCompiler } from '../support/native-library.js';
import { overNative } from '../support/paths.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const VERSIONS = path.join(ROOT, 'test/native/old-onnxruntime.map');

function oldBinding(): { library: string; binding: string } {
  const library = buildLibrary('old-onnxruntime', {
    name: 'libonnxruntime.so.1',
    flags: ['-Wl,-soname,libonnxruntime.so.1', '-Wl,-z,nodelete', `-Wl,--version-script=${VERSIONS}`],
  });
  const folder = path.dirname(library);
  const flags = ['-L', folder, '-l:libonnxruntime.so.1', `-Wl,-rpath,${folder}`];
  return { library, binding: buildLibrary('old-binding', { name: 'old-binding.node', flags }) };
}

/** What `say(…)` was called with by a program that can load the `old` binding, and `acquire` and `run` a graph. */
async function program(binding: string, script: string): Promise<unknown[]> {
  const graph = Buffer.from(twoOutputsGraph()).toString('base64');
  const source = `
    import { ModelCache } from ${JSON.stringify(path.join(ROOT, 'dist/models/model-cache.js'))};
    const say = (value) => console.log(JSON.stringify(value));
    const old = () => process.dlopen({ exports: {} }, ${JSON.stringify(binding)});
    const caches = [];
    const acquire = (engine) => {
      const cache = new ModelCache({ engine, device: 'cpu', threads: 1 });
      caches.push(cache);
      return cache.acquire(Buffer.from('${graph}', 'base64'));
    };
    const tensor = { type: 'float32', dims: [1, 2], data: Float32Array.of(3, 4) };
    const run = async (model) => [...(await model.run({ a: tensor, b: tensor })).product.data];
    const reason = async (work) => { try { await work(); } catch ({ code, message }) { return { code, message }; } };
    ${script}
    for (const cache of caches) await cache.close();`;
  const args = ['--input-type=module', '-e', source];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

// Skipped where no compiler is there to make the older version.
describe.runIf(overNative && hasCompiler)('two versions of onnxruntime-node in one program', () => {
  it('takes the child process, and says why, where an older one came first', async () => {
    const { library, binding } = oldBinding();
    const why = `expected ONNX Runtime 1.17 or newer but ${library} is 1.12.1`;
    const said = await program(
      binding,
      `old();
      say(await reason(() => acquire('native')));
      const model = await acquire('auto');
      say(model.engine);
      say(await run(model));`,
    );
    expect(said).toEqual([
      { code: 'ERR_ENGINE', message: why },
      { name: 'stock', version: expect.stringMatching(/^1\.\d\d/), reason: why },
      [9, 16],
    ]);
  });

  it('goes on undisturbed where an older one comes later, and is refused by the loader', async () => {
    const { binding } = oldBinding();
    const said = await program(
      binding,
      `const model = await acquire('auto');
      say(model.engine);
      say(await reason(old));
      say(await run(model));
      say(await run(await acquire('stock')));`,
    );
    expect(said).toEqual([
      expect.objectContaining({ name: 'native', reason: expect.stringMatching(/^the addon drives \//) }),
      { code: 'ERR_DLOPEN_FAILED', message: expect.stringContaining("version `VERS_1.12.1' not found") },
      [9, 16],
      [9, 16],
    ]);
  });
});
