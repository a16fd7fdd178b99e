// Walking trees: names, names with figures, and what it costs the event loop and the memory.

import { bareNodeMB, residentMB } from '../harness/memory.mjs';
import { compile, runProgram, whyNoCompiler } from '../harness/native-program.mjs';
import { folderOf, Seen, treeOf } from '../harness/trees.mjs';

/** @typedef {{ root: string, bareMB?: number }} Tree */

/** @param {number} full @param {number} quick */
const tree = (full, quick) => async (/** @type {import('../harness/types.js').Context} */ context) => {
  const files = context.quick ? quick : full;
  return { root: await treeOf(files), label: `${files} files` };
};

/**
 * A walker, as the two things that are asked of it. Both read every path; `digest` looks at every character.
 * @param {(root: string, see: (path: string) => void) => Promise<void>} walk
 */
const walker =
  (walk) =>
  async (/** @type {Tree} */ { root }) => ({
    async check() {
      const seen = new Seen();
      await walk(root, (path) => seen.path(path));
      return seen.digest();
    },
    async run() {
      let files = 0;
      let bytes = 0;
      const start = performance.now();
      await walk(root, (path) => {
        files++;
        bytes += path.length;
      });
      return { values: { ms: performance.now() - start }, result: { files, bytes } };
    },
  });

/** @param {'names' | 'stat'} what @param {number} threads */
const cWalk = (what, threads) => ({
  async open(/** @type {Tree} */ { root }) {
    const program = compile('walk');
    const args = [String(threads), what];
    return {
      check: async () => {
        const { ms, ...digest } = runProgram(program, [...args, 'digest', root]);
        return digest;
      },
      async run() {
        const { ms, files, bytes, size } = runProgram(program, [...args, 'time', root]);
        return { values: { ms }, result: what === 'stat' ? { files, bytes, size } : { files, bytes } };
      },
    };
  },
});

const ours = walker(async (root, see) => {
  const { scan } = await import('../../dist/index.js');
  for await (const batch of scan(root)) for (const path of batch.paths) see(path);
});

// Its synchronous form was slower by a tenth and stops the event loop; the promise gives one list at the end.
const withFdir = walker(async (root, see) => {
  const { fdir } = await import('fdir');
  for (const path of await new fdir().withFullPaths().crawl(root).withPromise()) see(path);
});

/** `unique: false` saves it a set of all names; nothing here turns up twice. */
const FAST_GLOB = { dot: true, absolute: true, followSymbolicLinks: false, unique: false };

const withFastGlob = walker(async (root, see) => {
  const { default: fastGlob } = await import('fast-glob');
  for await (const path of fastGlob.stream('**', { ...FAST_GLOB, cwd: root })) see(String(path));
});

const js = { env: { SPILLWAY_NATIVE: 'off' } };

const names = {
  measures: [
    {
      metric: 'ms',
      better: 'lower',
      target: { limit: 'c-getdents64-2t', atMost: 1.2, atLeast: { fdir: 2.2, 'fast-glob': 9 } },
    },
  ],
  skip: whyNoCompiler,
  data: tree(300_000, 30_000),
  sides: {
    ours: { open: ours },
    'c-getdents64-2t': cWalk('names', 2),
    fdir: { open: withFdir, package: 'fdir' },
    'fast-glob': { open: withFastGlob, package: 'fast-glob' },
    'spillway-js': { open: ours, ...js },
  },
};

/**
 * A walker that tells size, time and inode of every file as well, each in the form its package delivers.
 * @param {(root: string, see: (path: string, size: number, mtime: number | bigint, ino: number | bigint) => void) => Promise<void>} walk
 * @param {(mtime: never) => number} seconds from its form of a time
 */
const statWalker =
  (walk, seconds) =>
  async (/** @type {Tree} */ { root }) => ({
    async check() {
      const seen = new Seen();
      await walk(root, (path, size, mtime, ino) => {
        seen.path(path);
        seen.stat(size, seconds(/** @type {never} */ (mtime)), Number(ino));
      });
      return seen.digest();
    },
    async run() {
      let files = 0;
      let bytes = 0;
      let total = 0;
      const start = performance.now();
      await walk(root, (path, size) => {
        files++;
        bytes += path.length;
        total += size;
      });
      return { values: { ms: performance.now() - start }, result: { files, bytes, size: total } };
    },
  });

const oursStat = statWalker(
  async (root, see) => {
    const { scan } = await import('../../dist/index.js');
    for await (const batch of scan(root, { stat: true }))
      for (const { path, size, mtimeNs, ino } of batch) see(path, size, mtimeNs, ino);
  },
  (/** @type {bigint} */ mtimeNs) => Number(mtimeNs / 1_000_000_000n),
);

const secondsOfMs = (/** @type {number} */ mtimeMs) => Math.floor(mtimeMs / 1000);

const withReaddirp = statWalker(async (root, see) => {
  const { default: readdirp } = await import('readdirp');
  // `lstat` spares it following links, as ours does.
  for await (const { fullPath, stats } of readdirp(root, { alwaysStat: true, lstat: true }))
    see(fullPath, stats.size, stats.mtimeMs, stats.ino);
}, secondsOfMs);

const withFastGlobStats = statWalker(async (root, see) => {
  const { default: fastGlob } = await import('fast-glob');
  for await (const entry of fastGlob.stream('**', { ...FAST_GLOB, cwd: root, stats: true }))
    see(entry.path, entry.stats.size, entry.stats.mtimeMs, entry.stats.ino);
}, secondsOfMs);

const stat = {
  measures: [
    {
      metric: 'ms',
      better: 'lower',
      target: { limit: 'c-statx-2t', atMost: 1.15, atLeast: { readdirp: 8, 'fast-glob': 8 } },
    },
  ],
  skip: whyNoCompiler,
  data: tree(300_000, 30_000),
  sides: {
    ours: { open: oursStat },
    'c-statx-2t': cWalk('stat', 2),
    readdirp: { open: withReaddirp, package: 'readdirp' },
    'fast-glob': { open: withFastGlobStats, package: 'fast-glob' },
    'spillway-js': { open: oursStat, ...js },
  },
};

/**
 * How long the event loop is kept busy (its own utilisation figure), and when the first path comes.
 * @param {(root: string, see: (path: string) => void) => Promise<void>} walk
 */
const loopTime =
  (walk) =>
  async (/** @type {Tree} */ { root }) => ({
    async run() {
      let files = 0;
      let bytes = 0;
      let first = 0;
      const before = performance.eventLoopUtilization();
      const start = performance.now();
      await walk(root, (path) => {
        if (files++ === 0) first = performance.now() - start;
        bytes += path.length;
      });
      const { active } = performance.eventLoopUtilization(before);
      return { values: { busy: active, first }, result: { files, bytes } };
    },
  });

const loop = {
  measures: [
    { name: 'busy', metric: 'ms', key: 'busy', better: 'lower', target: { atLeast: { fdir: 6 } } },
    {
      name: 'first',
      metric: 'ms',
      key: 'first',
      better: 'lower',
      target: { limit: { name: 'bound', value: 5 } },
    },
  ],
  data: tree(300_000, 30_000),
  sides: {
    ours: {
      open: loopTime(async (root, see) => {
        const { scan } = await import('../../dist/index.js');
        for await (const batch of scan(root)) for (const path of batch.paths) see(path);
      }),
    },
    fdir: {
      package: 'fdir',
      open: loopTime(async (root, see) => {
        const { fdir } = await import('fdir');
        for (const path of await new fdir().withFullPaths().crawl(root).withPromise()) see(path);
      }),
    },
  },
};

/**
 * The peak of a fresh process that walks once, above the peak of an empty ES module (both VmHWM). The harness's own
 * few modules count against the walker.
 * @param {(data: Tree) => Promise<import('../harness/types.js').Runner>} open
 */
const peak = (open) => ({
  fresh: true,
  async open(/** @type {Tree} */ data) {
    const runner = await open(data);
    return {
      async run() {
        const { result } = await runner.run();
        return { values: { MB: residentMB().peak - (data.bareMB ?? 0) }, result };
      },
    };
  },
});

/** @param {string} name @param {(context: { quick: boolean }) => Promise<Tree & { label: string }>} data */
const memory = (name, data) => ({
  measures: [{ name, metric: 'MB', better: 'lower', target: { limit: { name: 'bound', value: 10 } } }],
  data: async (/** @type {{ quick: boolean }} */ context) => ({
    ...(await data(context)),
    bareMB: bareNodeMB().peak,
  }),
  sides: {
    ours: peak(ours),
    fdir: { ...peak(withFdir), package: 'fdir' },
    'fast-glob': { ...peak(withFastGlob), package: 'fast-glob' },
  },
});

export const cases = [
  { name: 'scan.names', contests: [names] },
  { name: 'scan.stat', contests: [stat] },
  {
    name: 'scan.loop',
    contests: [
      loop,
      memory('rss', tree(1_500_000, 100_000)),
      memory('rss-folder', async ({ quick }) => {
        const files = quick ? 30_000 : 300_000;
        return { root: await folderOf(files), label: `one folder of ${files} files` };
      }),
    ],
  },
];
