// Files as a scan would describe them, for the tests of the result store.
import type { StatIdentity } from '../../src/results/identity.js';

/** A moment long enough ago for every file below to be trusted by stat. */
export const LONG_AFTER_MS = 1_800_000_000_000;
const CHANGED_NS = 1_700_000_000_123_456_789n;

/** A file that differs from all others by its inode, and was last changed long before {@link LONG_AFTER_MS}. */
export function fileOf(inode: number): StatIdentity {
  return { dev: 66n, ino: BigInt(inode), size: 1000 + inode, mtimeNs: CHANGED_NS, ctimeNs: CHANGED_NS };
}
