import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextScanner } from '../../src/extract/text.js';

function scanned(bytes: Uint8Array, pieces: readonly number[] = []) {
  const scanner = new TextScanner();
  let at = 0;
  for (const length of pieces) {
    scanner.update(bytes.subarray(at, at + length));
    at += length;
  }
  scanner.update(bytes.subarray(at));
  return scanner.end();
}

const le = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');

describe('text scanner', () => {
  it.each([
    ['', { encoding: 'ascii', bom: false, lines: 0, words: 0 }],
    ['one two\nthree\n', { encoding: 'ascii', bom: false, lines: 2, words: 3 }],
    ['no end', { encoding: 'ascii', bom: false, lines: 1, words: 2 }],
    ['grün\r\n日本 語\n', { encoding: 'utf-8', bom: false, lines: 2, words: 3 }],
    ['\ufeffmark', { encoding: 'utf-8', bom: true, lines: 1, words: 1 }],
  ])('reads %j', (text, figures) => {
    expect(scanned(Buffer.from(text))).toEqual(figures);
  });

  it('reads UTF-16 by its mark and falls back to a single-byte encoding', () => {
    expect(scanned(le('a b\nc'))).toEqual({ encoding: 'utf-16le', bom: true, lines: 2, words: 3 });
    expect(scanned(le('a b\nc').swap16())).toEqual({ encoding: 'utf-16be', bom: true, lines: 2, words: 3 });
    expect(scanned(Buffer.from('caf\xe9 au lait\n', 'latin1'))).toMatchObject({
      encoding: 'iso-8859-1',
      words: 3,
    });
  });

  it.each([
    ['a NUL', Buffer.from('text\0text')],
    ['control characters', Buffer.from([1, 2, 3, 4])],
    ['half a unit of UTF-16', le('ab').subarray(0, 5)],
    ['broken UTF-8 behind its mark', Buffer.from([0xef, 0xbb, 0xbf, 0xff, 0xfe, 0x41])],
  ])('knows that %s is no text', (_, bytes) => {
    expect(scanned(bytes)).toBeUndefined();
  });

  it('does not care where its pieces end', () => {
    const texts = fc.oneof(
      fc
        .string({ unit: fc.constantFrom('a', ' ', '\n', 'ü', '語', '😀', '\t') })
        .map((text) => Buffer.from(text)),
      fc.string({ unit: fc.constantFrom('a', ' ', '\n', '語', '😀') }).map(le),
      fc.uint8Array({ maxLength: 40 }),
    );
    fc.assert(
      fc.property(texts, fc.array(fc.nat(5)), (bytes, pieces) => {
        expect(scanned(bytes, pieces)).toEqual(scanned(bytes));
      }),
    );
  });

  it('counts like wc', () => {
    const text = Buffer.from('The quick\tbrown\n\n  fox  jumps\vover\n'.repeat(50));
    const [lines, words] = execFileSync('wc', ['-lw'], { input: text, env: { LC_ALL: 'C' } })
      .toString()
      .trim()
      .split(/\s+/)
      .map(Number);
    expect(scanned(text)).toMatchObject({ lines, words });
  });
});
