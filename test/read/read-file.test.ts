import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readWholeFile } from '../../src/read/read-file.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-read-'));
const at = (name: string) => path.join(dir, name);
const code = (value: string) => expect.objectContaining({ code: value });

afterAll(() => rmSync(dir, { recursive: true }));

describe('reading a whole file', () => {
  it('returns the bytes and the version they belong to, in memory of their own', async () => {
    writeFileSync(at('a'), 'hello');
    const { bytes, stat } = await readWholeFile(Buffer.from(at('a')), 100);
    expect(bytes.toString()).toBe('hello');
    expect(bytes.buffer.byteLength).toBe(5);
    expect(stat.size).toBe(5);
    expect(stat.ino).toBeGreaterThan(0n);
  });

  it('reads an empty file', async () => {
    writeFileSync(at('empty'), '');
    expect((await readWholeFile(at('empty'), 0)).bytes.length).toBe(0);
  });

  it('names what is no regular file, without waiting for the writer of a FIFO', async () => {
    execFileSync('mkfifo', [at('fifo')]);
    await expect(readWholeFile(at('fifo'), 100)).rejects.toThrow(code('ERR_NOT_A_FILE'));
    await expect(readWholeFile(dir, 100)).rejects.toThrow(/a directory/);
  });

  it('keeps the codes of the system', async () => {
    await expect(readWholeFile(at('missing'), 100)).rejects.toThrow(code('ENOENT'));
  });

  it('refuses what is larger than allowed', async () => {
    await expect(readWholeFile(at('a'), 4)).rejects.toThrow(code('ERR_TOO_LARGE'));
  });

  it('reports a writer at work instead of mixing two versions', async () => {
    writeFileSync(at('busy'), Buffer.alloc(4e6));
    const seen = new Set<string>();
    for (let i = 0; i < 20; i++) {
      let outcome: string | undefined;
      void readWholeFile(at('busy'), 1e9).then(
        () => {
          outcome = 'read';
        },
        (error: { code: string }) => {
          outcome = error.code;
        },
      );
      while (outcome === undefined) {
        appendFileSync(at('busy'), 'x');
        await new Promise((resolve) => setImmediate(resolve));
      }
      seen.add(outcome);
    }
    expect(seen).toContain('ERR_FILE_CHANGED');
    for (const outcome of seen) expect(['read', 'ERR_FILE_CHANGED']).toContain(outcome);
  });
});
