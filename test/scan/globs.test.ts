import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openScanner } from '../../src/fallback/scanner.js';
import { native } from '../../src/native/load.js';
import { expandBraces } from '../../src/scan/braces.js';
import { overNative } from '../support/paths.js';
import { listed, makeTree, temporaryFolder } from './support.js';

const TREE = [
  'a.jpg',
  'b.JPG',
  '.hidden.jpg',
  'ä.png',
  'img-1.png',
  'img-22.png',
  'literal*',
  'lit[x]',
  'c',
  'sub/a.jpg',
  'sub/deep/a.jpg',
  'sub/deep/er/b.txt',
  'node_modules/x/a.jpg',
  'other/node_modules/y.jpg',
  'other/build',
]; // prettier-ignore

/** Patterns, and what of the tree above they mean as the only `include`. */
const TABLE: readonly (readonly [pattern: string, matches: readonly string[]])[] = [
  ['*.txt', ['sub/deep/er/b.txt']],
  ['**/*.txt', ['sub/deep/er/b.txt']],
  ['*.JPG', ['b.JPG']],
  ['/*.jpg', ['.hidden.jpg', 'a.jpg']],
  ['./a.jpg', ['a.jpg']],
  ['sub/*.jpg', ['sub/a.jpg']],
  ['sub/**', ['sub/a.jpg', 'sub/deep/a.jpg', 'sub/deep/er/b.txt']],
  ['sub/**/a.jpg', ['sub/a.jpg', 'sub/deep/a.jpg']],
  ['**/deep/**/b.*', ['sub/deep/er/b.txt']],
  ['?.png', ['ä.png']],
  ['[!a-z].png', ['ä.png']],
  ['[^ä].png', []],
  ['[ä-ö].png', ['ä.png']],
  ['img-[0-9].png', ['img-1.png']],
  ['img-*[0-9][0-9].png', ['img-22.png']],
  ['literal\\*', ['literal*']],
  ['lit[[]x]', ['lit[x]']],
  ['lit[x', []],
  ['[]x]', []],
  [
    '{a,b}.{jpg,JPG,txt}',
    ['a.jpg', 'b.JPG', 'node_modules/x/a.jpg', 'sub/a.jpg', 'sub/deep/a.jpg', 'sub/deep/er/b.txt'],
  ],
  ['sub/{deep/{er/b.txt,a.jpg},none}', ['sub/deep/a.jpg', 'sub/deep/er/b.txt']],
  ['*', TREE],
  ['**', TREE],
  ['deep', []],
  ['c/', []],
];

const root = makeTree(temporaryFolder(afterAll), TREE);

describe('globs', () => {
  it.each(TABLE)('include %s', async (pattern, matches) => {
    expect(await listed(root, { include: pattern })).toEqual([...matches].sort());
  });

  it('prunes an excluded folder and all that is in it', async () => {
    const include = '*.jpg';
    expect(await listed(root, { include, exclude: ['node_modules', '.*'] })).toEqual([
      'a.jpg',
      'sub/a.jpg',
      'sub/deep/a.jpg',
    ]);
    expect(await listed(root, { include, exclude: ['/node_modules', 'sub/**', 'a.jpg'] })).toEqual([
      '.hidden.jpg',
      'other/node_modules/y.jpg',
    ]);
    expect(await listed(root, { exclude: ['*/', '*.*', 'l*'] })).toEqual(['c']);
    expect(await listed(root, { include: 'deep/', types: 'all' })).toEqual(['sub/deep']);
    expect(await listed(root, { include: '**/', types: 'all' })).toHaveLength(8);
  });

  it('compares a root that is a file as if its folder had been walked', async () => {
    const roots = [`${root}/a.jpg`, `${root}/sub/deep/er/b.txt`, `${root}/sub`];
    expect(await listed(root, { include: '*.jpg', exclude: 'sub' }, roots)).toEqual([
      'a.jpg',
      'sub/a.jpg',
      'sub/deep/a.jpg',
    ]);
  });

  it('expands braces, nested, and leaves what is no alternative alone', () => {
    expect(expandBraces('{a,b{1,2}}.{c,d}', 'x')).toEqual(['a.c', 'a.d', 'b1.c', 'b1.d', 'b2.c', 'b2.d']);
    for (const literal of ['{a}', '{', 'a}', '\\{a,b}', '{a,b', 'plain'])
      expect(expandBraces(literal, 'x')).toEqual([literal]);
    expect(expandBraces('{a}{b,c}', 'x')).toEqual(['{a}b', '{a}c']);
    expect(expandBraces('{,s}', 'x')).toEqual(['', 's']);
    expect(() => expandBraces('{a,b}'.repeat(40), 'options.include')).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
    );
  });

  it.runIf(overNative)('mean the same to the addon and to JavaScript', async () => {
    const names = ['a', 'b', 'ab', 'aab', '.a', 'ä', '-', ']', 'a-b', '€', 'a b'];
    const paths = names.flatMap((name) => [name, `d/${name}x`, `d/e/${name}`, `ä€/${name}`]);
    const roots = [Buffer.from(makeTree(temporaryFolder(), paths))];
    const piece = fc.constantFrom(
      'a',
      'b',
      'ä',
      '€',
      '*',
      '?',
      '**',
      '/',
      '[ab]',
      '[!a]',
      '[a-€]',
      '[',
      ']',
      '-',
      '\\',
      '.',
      'd',
      'e',
      'x',
    );
    const pattern = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''));
    const sides = [(plan: Parameters<typeof openScanner>[0]) => native().openScanner(plan), openScanner];
    await fc.assert(
      fc.asyncProperty(
        fc.array(pattern, { maxLength: 2 }),
        fc.array(pattern, { maxLength: 2 }),
        async (include, exclude) => {
          const [ours, model] = await Promise.all(
            sides.map(async (open) => {
              const scanner = open({
                roots,
                include,
                exclude,
                types: 255,
                stat: false,
                follow: false,
                threads: 1,
                batchFiles: 4096,
                skip: new BigUint64Array(),
              }); // prettier-ignore
              const lines: string[] = [];
              for (let batch = await scanner.next(); batch; batch = await scanner.next())
                lines.push(...Buffer.from(batch.paths).toString().split('\0').slice(0, -1));
              return lines.sort();
            }),
          );
          expect(ours).toEqual(model);
        },
      ),
      { numRuns: 300 },
    );
  });
});
