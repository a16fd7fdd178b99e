// What every entry is verified with at each read: a bit that flipped on the disk must never be a wrong value.
import { createHash, hash } from 'node:crypto';

/** What an entry means, beside its key: all of it is covered by its checksum. */
export interface Sealed {
  readonly priority: number;
  /** Milliseconds since 1970; null: never. */
  readonly expires: number | null;
  /** Whether `body` is the value itself, or the SHA-256 of a value in a file of its own. */
  readonly isDigest: boolean;
  readonly body: Uint8Array;
}

/** Values up to this are hashed in one call over one reused buffer, which halves the cost of small ones. */
const SCRATCH_BYTES = 64 * 1024;
/** 16 bytes of SHA-256, in hex: against accidents, 128 bits are plenty. */
const HEX_DIGITS = 32;
/** Key length, kind, priority, expiry: of fixed length, so that no part can run into another. */
const HEAD_BYTES = 2 + 1 + 8 + 8;

/** Computes checksums; one instance a thread. */
export class Checksum {
  readonly #scratch = Buffer.alloc(SCRATCH_BYTES);
  readonly #view = new DataView(this.#scratch.buffer, this.#scratch.byteOffset, HEAD_BYTES);

  of(key: Uint8Array, { priority, expires, isDigest, body }: Sealed): string {
    this.#view.setUint16(0, key.length);
    this.#view.setUint8(2, isDigest ? 1 : 0);
    this.#view.setFloat64(3, priority);
    this.#view.setFloat64(11, expires ?? Number.NEGATIVE_INFINITY);
    this.#scratch.set(key, HEAD_BYTES);
    const bodyAt = HEAD_BYTES + key.length;
    const total = bodyAt + body.length;
    if (total > SCRATCH_BYTES) {
      const digest = createHash('sha256').update(this.#scratch.subarray(0, bodyAt)).update(body);
      return digest.digest('hex').slice(0, HEX_DIGITS);
    }
    this.#scratch.set(body, bodyAt);
    return hash('sha256', this.#scratch.subarray(0, total), 'hex').slice(0, HEX_DIGITS);
  }
}
