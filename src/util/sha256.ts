// SHA-256 without holding up the event loop, and without copies of large buffers.
import { createHash, webcrypto } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';

/** Below this the hand-over to another thread costs more than it saves. */
const INLINE_BYTES = 32 * 1024;
/** Web Crypto copies what it hashes on its threads; beyond this it is hashed here, in steps of half a millisecond. */
const STEP_BYTES = 1 << 20;

/** SHA-256 in lower-case hex. `bytes` must not change until the promise settles. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  if (bytes.length > INLINE_BYTES && bytes.length <= STEP_BYTES) {
    const digest = await webcrypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
    return Buffer.from(digest).toString('hex');
  }
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += STEP_BYTES) {
    if (at > 0) await turn();
    hash.update(bytes.subarray(at, at + STEP_BYTES));
  }
  return hash.digest('hex');
}
