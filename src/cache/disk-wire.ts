// How batches cross between the caller's thread and the cache's worker: one transferred buffer each, so that
// neither side clones hundreds of small objects.

/** One change of the cache, in the order it was asked for. */
export interface Change {
  readonly key: Uint8Array;
  readonly priority: number;
  /** Milliseconds since 1970; undefined: never. */
  readonly expires: number | undefined;
  /** Undefined removes the entry. */
  readonly value: Uint8Array | undefined;
}

/** What was found for a key: its value, or why there is none. */
export type Lookup = Uint8Array | 'miss' | 'corrupt';

const ABSENT = 0xffffffff;
const MISS = 0;
const CORRUPT = 1;
const INLINE = 2;
const OBJECT = 3;
const CHANGE_HEAD_BYTES = 2 * 8 + 2 * 4;

/** Bytes a change packs to. */
export function packedBytes({ key, value }: Change): number {
  return CHANGE_HEAD_BYTES + key.length + (value?.length ?? 0);
}

export function packKeys(keys: readonly Uint8Array[]): ArrayBuffer {
  const writer = new ByteWriter(keys.reduce((sum, key) => sum + 4 + key.length, 0));
  for (const key of keys) writer.field(key);
  return writer.finish();
}

export function* unpackKeys(packed: ArrayBuffer): Generator<Uint8Array> {
  const reader = new ByteReader(packed);
  while (reader.more()) yield reader.field() as Uint8Array;
}

export function packChanges(changes: readonly Change[]): ArrayBuffer {
  const writer = new ByteWriter(changes.reduce((sum, change) => sum + packedBytes(change), 0));
  for (const { key, priority, expires, value } of changes) {
    writer.float64(priority);
    writer.float64(expires ?? Number.NaN);
    writer.field(key);
    writer.field(value);
  }
  return writer.finish();
}

export function* unpackChanges(packed: ArrayBuffer): Generator<Change> {
  const reader = new ByteReader(packed);
  while (reader.more()) {
    const [priority, expires] = [reader.float64(), reader.float64()];
    const key = reader.field() as Uint8Array;
    yield { key, priority, expires: Number.isNaN(expires) ? undefined : expires, value: reader.field() };
  }
}

/** Writes what was found, key by key, for {@link unpackFound}. */
export class FoundWriter {
  readonly #writer = new ByteWriter(64 * 1024);

  miss(): void {
    this.#writer.u8(MISS);
  }

  corrupt(): void {
    this.#writer.u8(CORRUPT);
  }

  inline(value: Uint8Array): void {
    this.#writer.u8(INLINE);
    this.#writer.field(value);
  }

  /** The value is the next of those that travel beside the packed ones. */
  object(): void {
    this.#writer.u8(OBJECT);
  }

  finish(): ArrayBuffer {
    return this.#writer.finish();
  }
}

/** Values are views into `packed` and `objects`: nothing is copied. */
export function* unpackFound(packed: ArrayBuffer, objects: readonly ArrayBuffer[]): Generator<Lookup> {
  const reader = new ByteReader(packed);
  let object = 0;
  while (reader.more()) {
    const state = reader.u8();
    if (state === INLINE) yield reader.field() as Uint8Array;
    else if (state === OBJECT) yield new Uint8Array(objects[object++] as ArrayBuffer);
    else yield state === MISS ? 'miss' : 'corrupt';
  }
}

class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(expectedBytes: number) {
    this.#bytes = new Uint8Array(expectedBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  float64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value);
    this.#length += 8;
  }

  /** A length and that many bytes; undefined stays undefined. */
  field(bytes: Uint8Array | undefined): void {
    this.#reserve(4 + (bytes?.length ?? 0));
    this.#view.setUint32(this.#length, bytes?.length ?? ABSENT);
    this.#length += 4;
    if (!bytes) return;
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  finish(): ArrayBuffer {
    const { buffer } = this.#bytes;
    return this.#length === buffer.byteLength ? buffer : buffer.slice(0, this.#length);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#length + more, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(packed: ArrayBuffer) {
    this.#bytes = Buffer.from(packed);
  }

  more(): boolean {
    return this.#at < this.#bytes.length;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#at++);
  }

  float64(): number {
    this.#at += 8;
    return this.#bytes.readDoubleBE(this.#at - 8);
  }

  field(): Buffer | undefined {
    this.#at += 4;
    const length = this.#bytes.readUInt32BE(this.#at - 4);
    if (length === ABSENT) return undefined;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
