import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { nativeReport } from '../../src/native/load.js';
import { overNative } from '../support/paths.js';
import { batchesOf, listed, makeTree, rawPaths, temporaryFolder } from './support.js';

/** Makes `depth` folders inside one another, each with a file and an empty folder, by changing into each. */
function deepTree(root: string, name: string, depth: number): void {
  const before = process.cwd();
  process.chdir(root);
  for (let i = 0; i < depth; i++) {
    writeFileSync('f', '');
    mkdirSync('e');
    mkdirSync(name);
    process.chdir(name);
  }
  process.chdir(before);
}

/** Runs JavaScript in a child with the addon as `addon` and the folder as `root`. */
function child(root: string, code: string) {
  const prelude = `const addon = require(${JSON.stringify(nativeReport().reason)}); const root = ${JSON.stringify(root)};
    const open = () => addon.openScanner({ roots: [Buffer.from(root)], include: [], exclude: [], types: 1, stat: true,
      follow: false, threads: 2, batchFiles: 8, skip: new BigUint64Array() });`;
  return spawnSync(process.execPath, ['-e', prelude + code], { encoding: 'utf8', timeout: 20_000 });
}

describe('scan at its limits', () => {
  it('walks 20,000 files in one folder', async () => {
    const root = temporaryFolder();
    writeFileSync(path.join(root, 'file-0'), '');
    for (let i = 1; i < 20_000; i++) linkSync(path.join(root, 'file-0'), path.join(root, `file-${i}`));
    const batches = await batchesOf(root);
    expect(new Set(batches.flatMap((batch) => batch.paths)).size).toBe(20_000);
  });

  it('walks deeper than the kernel accepts paths, or says where it had to stop', async () => {
    const root = temporaryFolder();
    deepTree(root, 'x'.repeat(200), 60);
    const files = await rawPaths(root);
    if (overNative) {
      expect(files).toHaveLength(60);
      expect(Math.max(...files.map((hex) => hex.length / 2))).toBeGreaterThan(4096);
    } else {
      expect((await listed(root)).at(-1)).toMatch(/ENAMETOOLONG$/);
    }
  });

  it('holds few descriptors in a deep tree with work left at every level', async () => {
    const root = temporaryFolder();
    deepTree(root, 'd', 400);
    const lines = await listed(root, { types: 'all', threads: 1 });
    expect(lines).toHaveLength(3 * 400 + 1);
    expect(lines.filter((line) => line.endsWith('/f'))).toHaveLength(399);
  });

  it.runIf(overNative)('survives the end of a worker and of the process in mid-walk', () => {
    const root = makeTree(
      temporaryFolder(),
      Array.from({ length: 2000 }, (_, i) => `d${i % 40}/f${i}`),
    );
    const worker = child(
      root,
      `const { Worker } = require('node:worker_threads');
       const source = 'const addon = require(' + JSON.stringify(${JSON.stringify(nativeReport().reason)}) + ');' +
         'const open = ' + open.toString() + '; const root = ' + JSON.stringify(root) + ';' +
         '(async () => { for (;;) { const s = open(); while (await s.next()); } })()';
       (async () => {
         for (let i = 0; i < 25; i++) {
           const worker = new Worker(source, { eval: true });
           await new Promise((resolve) => worker.once('online', resolve));
           await new Promise((resolve) => setTimeout(resolve, i * 2));
           await worker.terminate();
         }
         console.log('survived');
       })();`,
    );
    expect(worker).toMatchObject({ status: 0, stdout: 'survived\n', stderr: '' });
    for (const stop of ['', 'process.on("exit", () => addon.stop());']) {
      const exit = child(
        root,
        `${stop} const s = open(); s.next().then(() => { s.next(); open().next(); process.exit(7); });`,
      );
      expect(exit).toMatchObject({ status: 7, signal: null, stderr: '' });
    }
  });

  it.runIf(overNative)('keeps a scanner alive while its next is pending, and the process too', () => {
    const root = makeTree(temporaryFolder(), ['a', 'b']);
    const ran = child(root, `open().next().then((batch) => console.log(batch.count)); globalThis.gc?.();`);
    expect(ran).toMatchObject({ status: 0, stdout: '2\n' });
  });
});
