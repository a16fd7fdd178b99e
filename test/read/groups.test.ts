import { createHash } from 'node:crypto';
import { statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type ReadOptions, readFiles } from '../../src/read/files.js';
import type { FileGroup } from '../../src/read/group.js';
import type { FilePaths } from '../../src/read/path-feed.js';
import { scan } from '../../src/scan/scan.js';
import { account, code, noise, openBelow, readAll, temporaryFolder, untilEqual } from './support.js';

const dir = temporaryFolder();
const at = (name: string) => path.join(dir, name);

/** Lengths from 0 to some hundred kilobytes, small ones more often. */
const contents = Array.from({ length: 600 }, (_, i) => noise(i % 50 === 0 ? i * 500 : (i * i) % 5000));
const paths = contents.map((bytes, i) => {
  writeFileSync(at(`f${i}`), bytes);
  return at(`f${i}`);
});

/** Passes where every file is there, in order, with its own bytes. */
function expectAll(files: Awaited<ReturnType<typeof readAll>>): void {
  expect(files.map((file) => file.path)).toEqual(paths);
  expect(files.filter(({ error }) => error)).toEqual([]);
  expect(files.findIndex(({ bytes }, i) => !bytes.equals(contents[i] as Buffer))).toBe(-1);
}

describe('groups of files', () => {
  it.each([1, 2, 5])('hold every file once, in order, whole, with %i threads', async (threads) => {
    for (const groupBytes of [1, 100_000, '8MB'] as const) {
      const files = await readAll(paths, { threads, groupBytes });
      expectAll(files);
    }
  });

  it('hold no more than asked for, a larger file alone', async () => {
    for await (const group of readFiles(paths, { groupBytes: 100_000 })) {
      const lengths = Array.from({ length: group.length }, (_, i) => group.bytesAt(i).length);
      const sum = lengths.reduce((total, length) => total + length, 0);
      if (sum > 100_000) expect(lengths.filter((length) => length > 0)).toHaveLength(1);
    }
  });

  it('are as full as they can be', async () => {
    const files = await readAll(paths, { groupBytes: '1MB' });
    const total = contents.reduce((sum, { length }) => sum + length + 16, 0);
    expect(files.at(-1)?.group).toBeLessThanOrEqual(Math.ceil((total / 1e6) * 1.5));
  });

  it('name each file and its version, with its digest where asked for', async () => {
    for await (const group of readFiles(paths.slice(0, 60), { sha256: true }))
      for (let i = 0; i < group.length; i++) {
        const { dev, ino, size, mtimeNs, ctimeNs } = statSync(group.pathAt(i), { bigint: true });
        expect(group.statAt(i)).toEqual({ dev, ino, size: Number(size), mtimeNs, ctimeNs });
        expect(group.sha256At(i)).toBe(createHash('sha256').update(group.bytesAt(i)).digest('hex'));
        expect(Buffer.from(group.pathBytesAt(i)).toString()).toBe(group.pathAt(i));
        expect(group.bytesAt(i).byteOffset % 16).toBe(0);
      }
    for await (const group of readFiles(paths.slice(0, 3))) {
      expect(group.sha256At(0)).toBeUndefined();
      for (const index of [-1, 0.5, group.length]) {
        expect(() => group.bytesAt(index)).toThrow(RangeError);
        expect(() => group.errorAt(index)).toThrow(RangeError);
      }
    }
  });

  it('take paths as strings, bytes, URLs and records, from any iterable, also in lists', async () => {
    const mixed = paths.map((each, i) => {
      if (i % 4 === 0) return each;
      if (i % 4 === 1) return Buffer.from(each);
      return i % 4 === 2 ? pathToFileURL(each) : { pathBytes: Buffer.from(each) };
    });
    expectAll(await readAll(mixed));
    expectAll(await readAll(new Set(paths)));
    expectAll(await readAll([paths.slice(0, 100), ...paths.slice(100, 200), new Set(paths.slice(200))]));
    const slowly = async function* () {
      for (const [i, each] of paths.entries()) {
        if (i % 97 === 0) await setImmediate();
        if (i % 300 === 0) await sleep(2);
        yield each;
      }
    };
    expectAll(await readAll(slowly()));
  });

  it('take what a scan yields', async () => {
    const files = await readAll(scan(dir));
    expect(files.map((file) => file.path).sort()).toEqual([...paths].sort());
    expect(
      files.find(({ bytes, path: name }) => !bytes.equals(contents[paths.indexOf(name)] as Buffer)),
    ).toBe(undefined);
  });

  it('are none where there are no paths', async () => {
    expect(await readAll([])).toEqual([]);
    expect(await readAll((async function* () {})())).toEqual([]);
  });

  it('are delivered before they are full where paths come slowly', async () => {
    let release: () => void = () => undefined;
    const later = new Promise<void>((resolve) => {
      release = resolve;
    });
    const source = async function* () {
      yield paths[1] as string;
      await later;
      yield paths[2] as string;
    };
    const groups = readFiles(source());
    expect((await groups.next()).value?.length).toBe(1);
    release();
    expect((await groups.next()).value?.pathAt(0)).toBe(paths[2]);
    expect((await groups.next()).done).toBe(true);
  });

  it('do not run ahead of the loop through an endless source', async () => {
    let taken = 0;
    const endless = function* () {
      for (;;) yield paths[taken++ % 40] as string;
    };
    const endlessly = async function* () {
      yield* endless();
    };
    for (const source of [endless, endlessly]) {
      taken = 0;
      let groups = 0;
      for await (const _ of readFiles(source(), { groupBytes: 100_000 })) {
        await sleep(2);
        if (++groups === 5) break;
      }
      expect(taken).toBeLessThan(20_000);
    }
  });
});

describe('a group and the turn of the loop', () => {
  it('is valid within the turn, and its contents are of length 0 after it', async () => {
    const kept: FileGroup[] = [];
    const views: Uint8Array[] = [];
    for await (const group of readFiles(paths, { groupBytes: 200_000 })) {
      for (const old of kept) expect(old.bytesAt(old.length - 1).length).toBe(0);
      kept.push(group);
      views.push(group.bytesAt(group.length - 1));
    }
    for (const view of views) expect(view.length).toBe(0);
    expect(kept.length).toBeGreaterThan(3);
    expect(() => kept[0]?.retain()).toThrow(code('ERR_CLOSED'));
  });

  it('stays valid when retained, until released, and the account shows it', async () => {
    const { id, held } = account();
    const kept: FileGroup[] = [];
    for await (const group of readFiles(paths, { groupBytes: 200_000, account: id }))
      kept.push(group.retain());
    const read = kept.flatMap((group) =>
      Array.from({ length: group.length }, (_, i) => Buffer.from(group.bytesAt(i))),
    );
    expect(read.findIndex((bytes, i) => !bytes.equals(contents[i] as Buffer))).toBe(-1);
    expect(held()).toBeGreaterThan(contents.reduce((sum, { length }) => sum + length, 0));
    for (const group of kept) {
      group.release();
      group.release();
      expect(group.bytesAt(0).length).toBe(0);
    }
    await untilEqual(held, 0);
  });
});

describe('files that cannot be read', () => {
  it('are errors of their own among the others', async () => {
    symlinkSync('nowhere', at('dangling'));
    truncateSync(at('f1'), 0);
    const mixed = [paths[2], at('missing'), paths[3], dir, at('dangling'), '', paths[4]] as string[];
    const files = await readAll(mixed);
    expect(files.map(({ error }) => error)).toEqual([
      undefined,
      'ENOENT',
      undefined,
      'ERR_NOT_A_FILE',
      'ENOENT',
      'ENOENT',
      undefined,
    ]);
    expect(files[6]?.bytes.equals(contents[4] as Buffer)).toBe(true);
    writeFileSync(at('f1'), contents[1] as Buffer);
  });

  it('are ERR_TOO_LARGE beyond the bound, with their version', async () => {
    for await (const group of readFiles([paths[2], paths[50]] as string[], { maxFileBytes: 1000 })) {
      expect(group.errorAt(0)).toBeUndefined();
      expect(group.errorAt(1)).toMatchObject({ code: 'ERR_TOO_LARGE' });
      expect(group.statAt(1)?.size).toBe(25_000);
      expect(group.bytesAt(1).length).toBe(0);
      expect(group.sha256At(1)).toBeUndefined();
    }
    const files = await readAll([paths[50]] as string[], { maxFileBytes: 25_000, groupBytes: 1000 });
    expect(files[0]?.bytes.equals(contents[50] as Buffer)).toBe(true);
  });

  it('are ERR_BUDGET_EXCEEDED where the budget has no room even for one alone', async () => {
    const { id, peak } = account(110_000);
    const files = await readAll(paths, { groupBytes: '1MB', account: id, threads: 2 });
    expect(peak()).toBeLessThanOrEqual(110_000);
    for (const [i, { error, bytes }] of files.entries()) {
      const fits = (contents[i] as Buffer).length <= 110_000 - 4096;
      if (fits) expect([error, bytes.equals(contents[i] as Buffer)]).toEqual([undefined, true]);
      else expect([error, bytes.length]).toEqual(['ERR_BUDGET_EXCEEDED', 0]);
    }
  });
});

describe('the end of reading groups', () => {
  it('leaves nothing behind after a break, a throw and an abort', async () => {
    const { id, held } = account();
    const reason = new Error('enough');
    const options: ReadOptions = { groupBytes: 50_000, account: id };
    for (let turn = 0; turn < 20; turn++) for await (const _ of readFiles(paths, options)) break;
    for (let turn = 0; turn < 20; turn++) {
      const controller = new AbortController();
      const pending = readAll(paths, { ...options, signal: controller.signal });
      for (let i = 0; i < turn; i++) await setImmediate();
      controller.abort(reason);
      // An abort that comes after the last group finds nothing to stop.
      const outcome = await pending.then(
        ({ length }) => length,
        (error: unknown) => error,
      );
      expect(turn === 0 ? [reason] : [reason, paths.length]).toContain(outcome);
    }
    await expect(readAll(paths, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await untilEqual(held, 0);
    await untilEqual(() => openBelow(dir), 0);
  });

  it('closes the source of the paths', async () => {
    const closed: string[] = [];
    const sync = function* () {
      try {
        for (;;) yield paths[3] as string;
      } finally {
        closed.push('sync');
      }
    };
    const async = async function* () {
      try {
        for (;;) yield paths[3] as string;
      } finally {
        closed.push('async');
      }
    };
    for (const source of [sync(), async()]) for await (const _ of readFiles(source)) break;
    await untilEqual(() => closed.length, 2);
  });

  it('is what the source of the paths throws', async () => {
    const error = new Error('no more');
    const sync = function* () {
      yield paths[0] as string;
      throw error;
    };
    const async = async function* () {
      yield paths[0] as string;
      await setImmediate();
      throw error;
    };
    for (const source of [sync(), async()]) await expect(readAll(source)).rejects.toBe(error);
  });

  it('is an error for a path that cannot be one', async () => {
    for (const wrong of [['a\0b'], [Buffer.of(0)], [42], [[42]]])
      await expect(readAll(wrong as unknown as FilePaths)).rejects.toThrow(code('ERR_INVALID_ARGUMENT'));
  });

  it('comes at once for wrong options', () => {
    const wrong: [unknown, unknown?][] = [
      ['a path'],
      [42],
      [[], { groupBytes: 0 }],
      [[], { groupBytes: '2GB' }],
      [[], { maxFileBytes: '2GB' }],
      [[], { threads: 0 }],
      [[], { signal: {} }],
      [[], { sha: true }],
    ];
    for (const [list, options] of wrong)
      expect(() => readFiles(list as string[], options as ReadOptions)).toThrow(code('ERR_INVALID_ARGUMENT'));
  });
});
