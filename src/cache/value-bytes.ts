// What a JavaScript value takes in memory: exactly for bytes and strings, by estimate for everything else.
import v8 from 'node:v8';

/** Buffers up to this length may be views of a pool that they share (`Buffer.poolSize`): each counts by itself. */
const POOL_BYTES = 8192;
const STRING_HEADER = 16;
const BUFFER_HEADERS = 200;
const NUMBER_BYTES = 16;
/** What is counted where a value cannot be serialised. */
const UNKNOWN_BYTES = 1024;
/**
 * An object on the heap ÷ its serialised form without the views in it. Measured on Node 20: 0.9 for arrays of floats
 * and 1 for long strings, 2.6 to 3.5 for records, nested ones, arrays of short strings or of integers, 7 for a Map.
 */
const HEAP_FACTOR = 2;
/** Objects of a class that serialise to more than this are measured once in `SAMPLE_EVERY` times. */
const SMALL_BYTES = 16 * 1024;
const SAMPLE_EVERY = 16;
/** Weight of the newest sample in the mean of a class. */
const NEWEST = 0.25;
const BEYOND_LATIN_1 = /[\u0100-\uffff]/;
/** Classes that are remembered; the objects of further ones are measured every time. */
const MAX_CLASSES = 256;

interface Sampled {
  mean: number;
  /** Objects to pass over before the next is measured. */
  skip: number;
}

/**
 * Measures values. Bytes count with the whole buffer that they keep alive, strings by the width V8 stores them in
 * (one byte a character where all are Latin-1, else two). Objects count as the views in them and twice what
 * `v8.serialize` makes of the rest; of classes whose objects serialise to more than 16 kB only every 16th is
 * serialised, and the others count as their mean. What cannot be serialised (functions, promises, what holds them)
 * counts as 1 kB.
 */
export class ValueBytes {
  readonly #classes = new Map<unknown, Sampled>();
  #unknown = 0;

  /** How many values were met that cannot be serialised. */
  get unknown(): number {
    return this.#unknown;
  }

  of(value: unknown): number {
    if (typeof value === 'string') return stringBytes(value);
    if (ArrayBuffer.isView(value)) return viewBytes(value);
    if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer)
      return BUFFER_HEADERS + value.byteLength;
    const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
    return isObject ? this.#objectBytes(value) : NUMBER_BYTES;
  }

  #objectBytes(value: object): number {
    const sampled = this.#classes.get(value.constructor);
    if (sampled && sampled.skip > 0) {
      sampled.skip--;
      return sampled.mean;
    }
    const { bytes, serialised } = this.#weigh(value);
    if (serialised > SMALL_BYTES || sampled) {
      const mean = sampled ? sampled.mean + NEWEST * (bytes - sampled.mean) : bytes;
      if (sampled || this.#classes.size < MAX_CLASSES)
        this.#classes.set(value.constructor, { mean, skip: serialised > SMALL_BYTES ? SAMPLE_EVERY - 1 : 0 });
    }
    return bytes;
  }

  #weigh(value: object): { bytes: number; serialised: number } {
    const weigher = new Weigher();
    try {
      weigher.writeValue(value);
      const serialised = weigher.releaseBuffer().length;
      return { bytes: weigher.viewBytes + HEAP_FACTOR * serialised, serialised };
    } catch {
      // A DataCloneError, or whatever a getter throws: the value may be cached all the same.
      this.#unknown++;
      return { bytes: UNKNOWN_BYTES, serialised: 0 };
    }
  }
}

/** Serialises all but the views in a value, which it adds up instead. */
class Weigher extends v8.Serializer {
  viewBytes = 0;

  constructor() {
    super();
    // Documented, but not among the types.
    const hooks = this as unknown as { _setTreatArrayBufferViewsAsHostObjects(flag: boolean): void };
    hooks._setTreatArrayBufferViewsAsHostObjects(true);
  }

  /** Called by `writeValue` for what it leaves to us. */
  _writeHostObject(object: unknown): void {
    if (!ArrayBuffer.isView(object)) throw new TypeError('a host object cannot be serialised');
    this.viewBytes += viewBytes(object);
  }
}

/** Bytes of a string on V8's heap. */
export function stringBytes(text: string): number {
  // ASCII is what most strings are, and what Node recognises at several GB/s.
  const narrow = Buffer.byteLength(text) === text.length || !BEYOND_LATIN_1.test(text);
  return STRING_HEADER + text.length * (narrow ? 1 : 2);
}

function viewBytes({ buffer, byteLength }: ArrayBufferView): number {
  return BUFFER_HEADERS + (buffer.byteLength <= POOL_BYTES ? byteLength : buffer.byteLength);
}
