// Reading: one big file in chunks, many small ones whole, and what the first costs in memory.
import { createReadStream, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { bigFile, hashStrides, smallFiles, touchPages } from '../harness/contents.mjs';
import { residentMB } from '../harness/memory.mjs';
import { compile, runProgram, whyNoCompiler } from '../harness/native-program.mjs';

/** @typedef {import('../harness/types.js').Context} Context */

const js = { env: { SPILLWAY_NATIVE: 'off' } };

/** @typedef {{ file: string }} Big */

/**
 * A reader of a big file; the consumer looks at every page.
 * @param {(file: string, see: (bytes: Uint8Array, offset: number) => void) => Promise<void>} read
 */
const chunks =
  (read) =>
  async (/** @type {Big} */ { file }) => ({
    async check() {
      let bytes = 0;
      let hash;
      await read(file, (chunk, offset) => {
        bytes += chunk.length;
        hash = hashStrides(chunk, offset, hash);
      });
      return { bytes, hash };
    },
    async run() {
      let bytes = 0;
      let sum = 0;
      const start = performance.now();
      await read(file, (chunk, offset) => {
        bytes += chunk.length;
        sum += touchPages(chunk, offset);
      });
      return { values: { ms: performance.now() - start }, result: { bytes, sum } };
    },
  });

const ours = chunks(async (file, see) => {
  const { openChunks } = await import('../../dist/index.js');
  for await (const { bytes, offset } of openChunks(file)) see(bytes, offset);
});

/** @param {number} [highWaterMark] */
const stream = (highWaterMark) =>
  chunks(async (file, see) => {
    let offset = 0;
    for await (const chunk of createReadStream(file, highWaterMark ? { highWaterMark } : {})) {
      see(chunk, offset);
      offset += chunk.length;
    }
  });

const big = {
  measures: [
    {
      metric: 'ms',
      better: 'lower',
      target: {
        limit: 'c-pread-1m',
        atMost: 1.2,
        atLeast: { createReadStream: 10, 'createReadStream-1m': 2.5 },
      },
    },
  ],
  skip: whyNoCompiler,
  data: async (/** @type {Context} */ { quick }) => {
    const megabytes = quick ? 100 : 2000;
    return { file: await bigFile(megabytes), label: `${megabytes} MB` };
  },
  sides: {
    ours: { open: ours },
    'c-pread-1m': {
      async open(/** @type {Big} */ { file }) {
        const program = compile('pread');
        return {
          check: async () => {
            const { bytes, hash } = runProgram(program, ['digest', file]);
            return { bytes, hash };
          },
          async run() {
            const { ms, bytes, sum } = runProgram(program, ['time', file]);
            return { values: { ms }, result: { bytes, sum } };
          },
        };
      },
    },
    createReadStream: { open: stream() },
    'createReadStream-1m': { open: stream(1_000_000) },
    'spillway-js': { open: ours, ...js },
  },
};

/** Growth from before the first read, the library loaded, to the peak of a fresh process. @param {(data: Big) => Promise<import('../harness/types.js').Runner>} open */
const growth = (open) => ({
  fresh: true,
  async open(/** @type {Big} */ data) {
    await import('../../dist/index.js');
    const runner = await open(data);
    return {
      async run() {
        const before = residentMB().now;
        const { result } = await runner.run();
        return { values: { MB: residentMB().peak - before }, result };
      },
    };
  },
});

const bigMemory = {
  measures: [{ name: 'rss', metric: 'MB', better: 'lower', target: { limit: { name: 'bound', value: 8 } } }],
  data: async (/** @type {Context} */ { quick }) => {
    const megabytes = quick ? 200 : 5000;
    return { file: await bigFile(megabytes), label: `${megabytes} MB, above the library loaded` };
  },
  sides: {
    ours: growth(ours),
    createReadStream: growth(stream()),
    'createReadStream-1m': growth(stream(1_000_000)),
  },
};

/** @typedef {{ list: string, threads: number }} Small */

/**
 * A reader of small files; the consumer looks at every page of each.
 * @param {(paths: readonly string[], see: (bytes: Uint8Array) => void) => Promise<void> | void} read
 */
const whole =
  (read) =>
  async (/** @type {Small} */ { list }) => {
    const paths = readFileSync(list, 'utf8').split('\0').slice(0, -1);
    return {
      async check() {
        const seen = { files: 0, bytes: 0, hash: 0 };
        await read(paths, (bytes) => {
          seen.files++;
          seen.bytes += bytes.length;
          seen.hash += hashStrides(bytes);
        });
        return seen;
      },
      async run() {
        const seen = { files: 0, bytes: 0, sum: 0 };
        const start = performance.now();
        await read(paths, (bytes) => {
          seen.files++;
          seen.bytes += bytes.length;
          seen.sum += touchPages(bytes);
        });
        return { values: { ms: performance.now() - start }, result: seen };
      },
    };
  };

const oursWhole = whole(async (paths, see) => {
  const { readFiles } = await import('../../dist/index.js');
  for await (const group of readFiles(paths))
    for (let i = 0; i < group.length; i++) {
      const error = group.errorAt(i);
      if (error) throw error;
      see(group.bytesAt(i));
    }
});

const AT_ONCE = 32;

const small = {
  measures: [
    {
      metric: 'ms',
      better: 'lower',
      target: { limit: 'c-read', atMost: 1.4, atLeast: { 'promises.readFile': 10, readFileSync: 2.5 } },
    },
  ],
  skip: whyNoCompiler,
  data: async (/** @type {Context} */ { quick, cores }) => {
    const count = quick ? 2000 : 20_000;
    const { list } = await smallFiles(count, 8192);
    return { list, threads: Math.min(cores, 8), label: `${count} files of 8 KB` };
  },
  sides: {
    ours: { open: oursWhole },
    'c-read': {
      async open(/** @type {Small} */ { list, threads }) {
        const program = compile('read-many');
        return {
          check: async () => {
            const { files, bytes, hash } = runProgram(program, [String(threads), 'digest', list]);
            return { files, bytes, hash };
          },
          async run() {
            const { ms, files, bytes, sum } = runProgram(program, [String(threads), 'time', list]);
            return { values: { ms }, result: { files, bytes, sum } };
          },
        };
      },
    },
    'promises.readFile': {
      open: whole(async (paths, see) => {
        let next = 0;
        const lane = async () => {
          while (next < paths.length) see(await readFile(/** @type {string} */ (paths[next++])));
        };
        await Promise.all(Array.from({ length: AT_ONCE }, lane));
      }),
    },
    readFileSync: {
      open: whole((paths, see) => {
        for (const path of paths) see(readFileSync(path));
      }),
    },
    'spillway-js': { open: oursWhole, ...js },
  },
};

export const cases = [
  { name: 'read.big', contests: [big, bigMemory] },
  { name: 'read.small', contests: [small] },
];
