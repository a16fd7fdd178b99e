// SHA-256 off the JavaScript thread.
import { createHash, webcrypto } from 'node:crypto';

/** Below this the hand-over to another thread costs more than it saves. */
const INLINE_BYTES = 32 * 1024;

/** SHA-256 in lower-case hex. `bytes` must not change until the promise settles. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  if (bytes.length <= INLINE_BYTES) return createHash('sha256').update(bytes).digest('hex');
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)).toString(
    'hex',
  );
}
