import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, lstatSync, mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ScanFile } from '../../src/scan/batch.js';
import { batchesOf, listed, makeTree, rawPaths, temporaryFolder } from './support.js';

/** What `find` prints, in hexadecimal and sorted. */
function found(...args: string[]): string[] {
  const bytes = execFileSync('find', [...args, '-print0'], { maxBuffer: 1 << 26 });
  const paths: string[] = [];
  for (let at = 0, end = bytes.indexOf(0); end >= 0; at = end + 1, end = bytes.indexOf(0, at))
    paths.push(bytes.subarray(at, end).toString('hex'));
  return paths.sort();
}

function oddTree(): string {
  const root = makeTree(temporaryFolder(), [
    'plain',
    'with space',
    '.hidden',
    '.dir/.x',
    'empty/',
    'ä/ö/ü',
    '-n',
    '😀',
  ]);
  makeTree(root, [
    'line\nbreak',
    'tab\there',
    '\\',
    '*',
    '[a]',
    `${'x'.repeat(255)}`,
    'a/b/c/d/e/f',
    '...',
    '..x',
  ]);
  for (const bytes of [[0xff], [0xc3], [0x61, 0x80, 0x62], [0xed, 0xa0, 0x80], [0xf5, 0x80]])
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(bytes)]), '');
  mkdirSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.of(0xfe, 0x64)]));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.of(0xfe, 0x64), Buffer.from('/inner')]), '');
  linkSync(path.join(root, 'plain'), path.join(root, 'hard link'));
  symlinkSync('plain', path.join(root, 'link'));
  symlinkSync('missing', path.join(root, 'dangling'));
  symlinkSync('a', path.join(root, 'link to folder'));
  return root;
}

describe('scan', () => {
  it('finds what find finds, byte for byte, whatever the names and the types', async () => {
    const root = oddTree();
    execFileSync('mkfifo', [path.join(root, 'fifo')]);
    expect(await rawPaths(root)).toEqual(found(root, '-type', 'f'));
    expect(await rawPaths(root, { types: 'all' })).toEqual(found(root));
    expect(await rawPaths(root, { types: 'directory' })).toEqual(found(root, '-type', 'd'));
    expect(await rawPaths(root, { types: ['symlink', 'fifo'] })).toEqual(found(root, '-type', 'l,p'));
    expect(await rawPaths(root, { follow: true, types: 'file' })).toEqual(
      [...found('-L', root, '-type', 'f'), Buffer.from(`${root}/dangling`).toString('hex')].sort(),
    );
  });

  it('shows U+FFFD in a name that is not UTF-8 and keeps its bytes', async () => {
    const root = temporaryFolder();
    const name = Buffer.concat([Buffer.from(`${root}/`), Buffer.of(0x61, 0xff)]);
    writeFileSync(name, '');
    const [batch] = await batchesOf(root);
    expect(batch?.utf8).toBe(false);
    expect(batch?.at(0).path).toBe(`${root}/a\ufffd`);
    expect(batch?.at(0).pathBytes).toEqual(name);
    expect(batch?.bytes).toEqual(Buffer.concat([name, Buffer.of(0)]));
  });

  it('tells every type', async () => {
    const root = makeTree(temporaryFolder(), ['file', 'directory/']);
    symlinkSync('file', path.join(root, 'symlink'));
    execFileSync('mkfifo', [path.join(root, 'fifo')]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path.join(root, 'socket'), resolve));
    const types = (await batchesOf(root, { types: 'all' })).flatMap((batch) =>
      [...batch].map((file) => [path.basename(file.path), file.type]),
    );
    server.close();
    for (const [name, type] of types) if (name !== path.basename(root)) expect(type).toBe(name);
    expect(types).toHaveLength(6);
    const [device] = await batchesOf('/dev/null', { types: 'character' });
    expect(device?.at(0).type).toBe('character');
  });

  it('delivers with stat exactly what lstat says, and without stat nothing', async () => {
    const root = oddTree();
    for (const batch of await batchesOf(root, { stat: true, types: 'all' }))
      for (const file of batch) {
        const { size, mtimeNs, ctimeNs, dev, ino } = lstatSync(file.pathBytes, { bigint: true });
        expect({ ...pick(file) }).toEqual({ size: Number(size), mtimeNs, ctimeNs, dev, ino });
      }
    for (const batch of await batchesOf(root))
      for (const file of batch)
        expect(Object.values(pick(file))).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });

  it('takes several roots: folders, files, links, URLs and bytes, as given', async () => {
    const root = makeTree(temporaryFolder(), ['a/x', 'a/b/y', 'single']);
    symlinkSync('a', path.join(root, 'link'));
    const url = pathToFileURL(path.join(root, 'single'));
    const bytes = Buffer.from(path.join(root, 'a/b'));
    expect(await listed(root, {}, [`${root}/link/`, url, bytes])).toEqual([
      'a/b/y',
      'link/b/y',
      'link/x',
      'single',
    ]);
    expect(await listed(root, { types: 'directory' }, [`${root}/a/`])).toEqual(['a/', 'a/b']);
    expect(await rawPaths('/', { types: 'directory', exclude: '*/*' })).toEqual(
      found('/', '-maxdepth', '1', '-type', 'd'),
    );
  });

  it('reports a root that is missing or no file as a record', async () => {
    const root = temporaryFolder();
    execFileSync('mkfifo', [path.join(root, 'fifo')]);
    expect(await listed(root, {}, [`${root}/missing`, `${root}/fifo`])).toEqual([
      'fifo ERR_NOT_A_FILE',
      'missing ENOENT',
    ]);
    expect(await listed(root, { types: 'fifo' }, [`${root}/fifo`])).toEqual(['fifo']);
  });

  it('reports a folder that cannot be read and goes on', async ({ skip }) => {
    if (process.getuid?.() === 0) process.seteuid?.(65534);
    else if (process.getuid?.() === undefined) skip('there are no user ids here');
    const root = makeTree(temporaryFolder(), ['open/x', 'closed/y', 'z']);
    chmodSync(path.join(root, 'closed'), 0);
    try {
      expect(await listed(root, { stat: true })).toEqual(['closed EACCES', 'open/x', 'z']);
    } finally {
      chmodSync(path.join(root, 'closed'), 0o700);
      if (process.getuid?.() === 0) process.seteuid?.(0);
    }
  });

  it('follows links when asked, ends at loops, and tells dangling links apart', async () => {
    const root = makeTree(temporaryFolder(), ['a/b/file', 'other/x']);
    symlinkSync('..', path.join(root, 'a/b/up'));
    symlinkSync(root, path.join(root, 'a/top'));
    symlinkSync('self', path.join(root, 'self'));
    symlinkSync('nowhere', path.join(root, 'dangling'));
    symlinkSync('../other', path.join(root, 'a/elsewhere'));
    symlinkSync('other/x', path.join(root, 'file-link'));
    expect(await listed(root)).toEqual(['a/b/file', 'other/x']);
    const followed = [
      'a/b/file',
      'a/b/up ELOOP',
      'a/elsewhere/x',
      'a/top ELOOP',
      'file-link',
      'other/x',
      'self ELOOP',
    ];
    expect(await listed(root, { follow: true })).toEqual([...followed, 'dangling ENOENT'].sort());
    expect(await listed(root, { follow: true, types: ['file', 'symlink'] })).toEqual(
      [...followed, 'dangling'].sort(),
    );
    expect(await listed(root, { follow: true, exclude: ['dangling', 'self', 'up', 'top'] })).toEqual(
      followed.filter((line) => !line.includes('ELOOP')),
    );
  });

  it('neither delivers nor enters what is to be skipped, by whatever name', async () => {
    const root = makeTree(temporaryFolder(), ['keep', 'out.jsonl', 'cache/x', 'cache/y/z']);
    linkSync(path.join(root, 'out.jsonl'), path.join(root, 'same'));
    const skip = ['out.jsonl', 'cache'].map((name) => lstatSync(path.join(root, name), { bigint: true }));
    expect(await listed(root, { skip })).toEqual(['keep']);
    expect(await listed(root, { skip }, [`${root}/cache`, `${root}/out.jsonl`, `${root}/keep`])).toEqual([
      'keep',
    ]);
  });

  it('walks a tree that changes under it without failing', async () => {
    const names = Array.from({ length: 400 }, (_, i) => `d${i % 20}/f${i}`);
    const root = makeTree(temporaryFolder(), names);
    const walking = listed(root, { stat: true });
    for (const name of names.slice(0, 200)) unlinkSync(path.join(root, name));
    const lines = await walking;
    for (const name of names.slice(200)) expect(lines).toContain(name);
    for (const line of lines) expect(line).toMatch(/^d\d+\/f\d+( ENOENT)?$/);
  });
});

function pick({ size, mtimeNs, ctimeNs, dev, ino }: ScanFile) {
  return { size, mtimeNs, ctimeNs, dev, ino };
}
