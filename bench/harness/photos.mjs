// Photos to work on.
import { utimesSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataSet } from './data-sets.mjs';

const FIRST_SECOND = 1_700_000_000;

/** A folder of `count` JPEG photos of 640×480. @param {number} count */
export function photosOf(count) {
  return dataSet(`photos-640x480-${count}`, async (folder) => {
    // Only where photos are made: it loads sharp, and this file is read by processes that measure memory.
    const { makePhotos } = await import('../../scripts/make-photos.mjs');
    // Whole seconds: all programs print them alike.
    for (const [i, file] of (await makePhotos(folder, count)).entries())
      utimesSync(file, FIRST_SECOND + i, FIRST_SECOND + i);
    // A file that changed less than two seconds before it is read is not known by its times.
    await sleep(2500);
  });
}
