// How batches cross between the caller's thread and the store's worker: one transferred buffer each, so that
// neither side clones hundreds of small objects.

/** One change of the store, in the order it was asked for. */
export interface Change {
  readonly key: Uint8Array;
  /** SHA-256 of the content, where stat cannot vouch for it (`set`) or now may (`confirm`). */
  readonly sha256: Uint8Array | undefined;
  /** UTF-8 JSON; undefined for `confirm`. */
  readonly value: Uint8Array | undefined;
}

/** What was found for a key. */
export type Found =
  | { readonly state: 'miss' }
  /** There was an entry and its checksum did not fit. */
  | { readonly state: 'corrupt' }
  | { readonly state: 'trusted'; readonly json: string }
  | { readonly state: 'racy'; readonly json: string; readonly sha256: string };

const ABSENT = 0xffffffff;
const STATES = ['miss', 'corrupt', 'trusted', 'racy'] as const;
const MISS = STATES.indexOf('miss');
const CORRUPT = STATES.indexOf('corrupt');
const TRUSTED = STATES.indexOf('trusted');
const RACY = STATES.indexOf('racy');

export function packKeys(keys: readonly Uint8Array[]): ArrayBuffer {
  const writer = new ByteWriter(keys.length * 48);
  for (const key of keys) writer.field(key);
  return writer.finish();
}

export function* unpackKeys(packed: ArrayBuffer): Generator<Uint8Array> {
  const reader = new ByteReader(packed);
  while (reader.more()) yield reader.field() as Uint8Array;
}

export function packChanges(changes: readonly Change[], bytes: number): ArrayBuffer {
  const writer = new ByteWriter(bytes);
  for (const change of changes) {
    writer.field(change.key);
    writer.field(change.sha256);
    writer.field(change.value);
  }
  return writer.finish();
}

export function* unpackChanges(packed: ArrayBuffer): Generator<Change> {
  const reader = new ByteReader(packed);
  while (reader.more())
    yield { key: reader.field() as Uint8Array, sha256: reader.field(), value: reader.field() };
}

/** Writes what was found, key by key, for {@link unpackFound}. */
export class FoundWriter {
  #writer = new ByteWriter(64 * 1024);

  miss(): void {
    this.#writer.u8(MISS);
  }

  corrupt(): void {
    this.#writer.u8(CORRUPT);
  }

  hit(json: Uint8Array, sha256: Uint8Array | null): void {
    this.#writer.u8(sha256 ? RACY : TRUSTED);
    this.#writer.field(json);
    if (sha256) this.#writer.field(sha256);
  }

  finish(): ArrayBuffer {
    return this.#writer.finish();
  }
}

export function* unpackFound(packed: ArrayBuffer): Generator<Found> {
  const reader = new ByteReader(packed);
  while (reader.more()) {
    const state = STATES[reader.u8()];
    if (state === 'trusted') yield { state, json: reader.text('utf8') };
    else if (state === 'racy') yield { state, json: reader.text('utf8'), sha256: reader.text('hex') };
    else yield { state: state ?? 'corrupt' };
  }
}

class ByteWriter {
  #bytes: Uint8Array;
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
    return this.#bytes.buffer.slice(0, this.#length) as ArrayBuffer;
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

  field(): Uint8Array | undefined {
    const length = this.#length();
    if (length === ABSENT) return undefined;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  text(encoding: 'utf8' | 'hex'): string {
    const length = this.#length();
    this.#at += length;
    return this.#bytes.toString(encoding, this.#at - length, this.#at);
  }

  #length(): number {
    this.#at += 4;
    return this.#bytes.readUInt32BE(this.#at - 4);
  }
}
