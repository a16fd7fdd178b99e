// What every stored result is verified with at each read: a bit that flipped on the disk must never be a wrong result.
import { createHash, hash } from 'node:crypto';

/** Values up to this are hashed in one call over one reused buffer, which halves the cost of small ones. */
const SCRATCH_BYTES = 64 * 1024;
/** 16 bytes of SHA-256, in hex: against accidents, 128 bits are plenty. */
const HEX_DIGITS = 32;
const NO_SHA256 = new Uint8Array(32);

/** The SHA-256 of a fingerprint's text, which every checksum covers: a flip in that text must not pass either. */
export function fingerprintDigest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

/** Computes checksums; one instance a thread. */
export class Checksum {
  readonly #scratch = Buffer.alloc(SCRATCH_BYTES);

  /**
   * Covers everything an entry means: fingerprint, key, whether it is racy, and the value. The parts cannot
   * run into each other: all but the value are of fixed length, the key's stands in front.
   */
  of(fingerprint: Uint8Array, key: Uint8Array, racy: Uint8Array | null, value: Uint8Array): string {
    const scratch = this.#scratch;
    scratch[0] = key.length;
    scratch[1] = racy ? 1 : 0;
    scratch.set(fingerprint, 2);
    scratch.set(key, 2 + fingerprint.length);
    scratch.set(racy ?? NO_SHA256, 2 + fingerprint.length + key.length);
    const valueAt = 2 + fingerprint.length + key.length + NO_SHA256.length;
    const total = valueAt + value.length;
    if (total > SCRATCH_BYTES) {
      const digest = createHash('sha256').update(scratch.subarray(0, valueAt)).update(value).digest('hex');
      return digest.slice(0, HEX_DIGITS);
    }
    scratch.set(value, valueAt);
    return hash('sha256', scratch.subarray(0, total), 'hex').slice(0, HEX_DIGITS);
  }
}
