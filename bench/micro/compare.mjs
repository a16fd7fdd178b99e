// One benny suite: the addon's way of doing something against JavaScript's.
import benny from 'benny';
import { nativeReport } from '../../dist/native/load.js';

/**
 * Prints operations a second of each way. Throws where the addon did not load: both would be JavaScript.
 * @param {string} title @param {Readonly<Record<string, () => unknown>>} ways
 */
export async function compare(title, ways) {
  const { loaded, reason } = nativeReport();
  if (!loaded) throw new Error(`expected the addon to serve but it did not load: ${reason}`);
  const added = Object.entries(ways).map(([name, way]) => benny.add(name, way));
  await benny.suite(title, ...added, benny.cycle(), benny.complete());
}
