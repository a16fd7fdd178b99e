// Code of libraries is given back to the system and works on: what the kernel says of its mappings.
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { native } from '../../src/native/load.js';
import { overNative } from '../support/paths.js';

/** Resident kilobytes of the library's executable mappings. */
function residentCode(library: string): number {
  let kilobytes = 0;
  let counting = false;
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) counting = line.includes(' r-xp ') && line.includes(library);
    else if (counting && line.startsWith('Rss:')) kilobytes += Number.parseInt(line.slice(4), 10);
  }
  return kilobytes;
}

const picture = () =>
  sharp({ create: { width: 64, height: 48, channels: 3, background: 'red' } })
    .png()
    .toBuffer();

// JavaScript cannot give pages back.
it.runIf(overNative)('drops the code of a library, which then runs as before', async () => {
  const before = await picture();
  const used = residentCode('/libvips-cpp.so');
  expect(used).toBeGreaterThan(500);
  native().dropLibraryPages?.('libvips-cpp.so');
  expect(residentCode('/libvips-cpp.so')).toBeLessThan(used / 4);
  expect(await picture()).toEqual(before);
  expect(residentCode('/libvips-cpp.so')).toBeGreaterThan(0);
});

it.runIf(overNative)('leaves other libraries alone', async () => {
  await picture();
  const used = residentCode('/libvips-cpp.so');
  native().dropLibraryPages?.('no-such-library');
  expect(residentCode('/libvips-cpp.so')).toBe(used);
});
