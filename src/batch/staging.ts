// Memory that batches are put together in. To make, clear and collect an array for each costs more than to fill it.
import { type Elements, kindOf, type Numeric } from './rows.js';

/** Gives arrays for the elements of a batch, and takes them back when it has run. */
export class Staging {
  #free: ArrayBuffer[] = [];

  /** Elements of the same kind as those of `like`; what they hold is left over from others. */
  take(like: Numeric, length: number): Numeric {
    const Kind: Elements = kindOf(like);
    const bytes = length * Kind.BYTES_PER_ELEMENT;
    const fitting = this.#free.filter(({ byteLength }) => byteLength >= bytes);
    const smallest = fitting.reduce<ArrayBuffer | undefined>(
      (best, buffer) => (best && best.byteLength <= buffer.byteLength ? best : buffer),
      undefined,
    );
    // Where batches have grown, what is too small now is not wanted again.
    this.#free = smallest ? this.#free.filter((buffer) => buffer !== smallest) : [];
    return new Kind(smallest ?? new ArrayBuffer(bytes), 0, length);
  }

  /** Nobody may read it any more. */
  give(taken: readonly Numeric[]): void {
    for (const { buffer } of taken) this.#free.push(buffer as ArrayBuffer);
  }

  /** Lets go of what is not in use. */
  clear(): void {
    this.#free = [];
  }

  /** Bytes that wait to be used again. */
  get bytes(): number {
    return this.#free.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }
}
