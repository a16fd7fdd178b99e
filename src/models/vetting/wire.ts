// Reads protobuf's wire format piece by piece, as it comes from a file. Payloads are stepped over, not kept.
//
// What it accepts is less than what protobuf does, so that ONNX Runtime cannot read a model otherwise than it was
// read here: a field that may occur once occurs once, and has the wire type of its declaration. Encoding:
// https://protobuf.dev/programming-guides/encoding/
import { isUtf8 } from 'node:buffer';
import { MAX_DEPTH, MAX_TEXT_BYTES } from './limits.js';
import { type FieldKind, GLIMPSE_BYTES, type MessageReader, type Span } from './message.js';
import { rejected } from './rejection.js';

interface Frame extends Span {
  readonly reader: MessageReader;
  /** Which fields came already, a bit each: no field that is read has a number above 30. */
  seen: number;
}

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;
/** Wire types a kind may come in: one by one, or as a packed list. */
const WIRE_TYPES: Record<FieldKind, readonly number[]> = {
  integer: [VARINT],
  integers: [VARINT, LENGTH],
  text: [LENGTH],
  texts: [LENGTH],
  payload: [LENGTH],
  payloads: [LENGTH],
  floats: [FIXED32, LENGTH],
  doubles: [FIXED64, LENGTH],
  varints: [VARINT, LENGTH],
  message: [LENGTH],
  messages: [LENGTH],
};
/** Beyond it protobuf drops the highest bits, and reads another field. */
const MAX_FIELD = 2 ** 29 - 1;
const ONCE: ReadonlySet<FieldKind> = new Set<FieldKind>(['integer', 'text', 'payload', 'message']);

export class WireReader {
  /** Messages that have begun and not ended, the innermost last. */
  readonly #frames: Frame[];
  #bytes: Uint8Array = new Uint8Array(0);
  /** Where to go on in `#bytes`, and how much of the model came before them. */
  #at = 0;
  #base = 0;
  /** Bytes of a payload that are still to be stepped over. */
  #ahead = 0;
  /** The field whose varints are counted on the way. */
  #counted: { readonly field: number; count: number } | undefined;

  /** `length`: of the whole model; nothing within may reach beyond it. */
  constructor(root: MessageReader, length: number) {
    this.#frames = [{ reader: root, headerAt: 0, bodyAt: 0, end: length, parent: undefined, seen: 0 }];
  }

  /** Takes the next bytes, which are not needed afterwards. Throws `ERR_MODEL_REJECTED`. */
  push(piece: Uint8Array): void {
    const rest = this.#bytes.length;
    this.#bytes = rest === 0 ? piece : Buffer.concat([this.#bytes, piece]);
    while (this.#stepOver() && this.#closeFinished()) {
      const start = this.#at;
      if (this.#field()) continue;
      this.#at = start; // the rest of the field comes with the next piece
      break;
    }
    this.#base += this.#at;
    this.#bytes = new Uint8Array(this.#bytes.subarray(this.#at)); // a copy: the piece is the caller's
    this.#at = 0;
  }

  /** Says that no more comes. Throws `ERR_MODEL_REJECTED` where the model ends too soon. */
  end(): void {
    if (this.#ahead > 0 || this.#closeFinished()) throw this.#malformed('the model ends in the middle of it');
  }

  /** Moves over the payload that is next; false where more of it is to come. */
  #stepOver(): boolean {
    const end = Math.min(this.#at + this.#ahead, this.#bytes.length);
    this.#ahead -= end - this.#at;
    const counted = this.#counted;
    if (counted) {
      for (let at = this.#at; at < end; at++) if ((this.#bytes[at] as number) < 128) counted.count++;
      if (this.#ahead === 0) {
        if ((this.#bytes[end - 1] ?? 0) >= 128)
          throw this.#malformed(`field ${counted.field} ends in a number`);
        this.#innermost().reader.sized?.(counted.field, counted.count);
        this.#counted = undefined;
      }
    }
    this.#at = end;
    return this.#ahead === 0;
  }

  /** Ends the messages that are over; false once the model is. */
  #closeFinished(): boolean {
    for (
      let frame = this.#frames.at(-1);
      frame && this.#position() === frame.end;
      frame = this.#frames.at(-1)
    ) {
      this.#frames.pop();
      frame.reader.close?.();
    }
    return this.#frames.length > 0;
  }

  /** Takes one field, its payload excepted; false where it is not whole yet. */
  #field(): boolean {
    const tag = this.#varint(5);
    if (tag === undefined) return false;
    const field = Math.floor(tag / 8);
    const wireType = tag % 8;
    const { reader } = this.#innermost();
    const kind = reader.fields[field];
    if (field === 0 || field > MAX_FIELD)
      throw this.#malformed(`expected a field but its number is ${field}`);
    if (kind && !WIRE_TYPES[kind].includes(wireType))
      throw this.#malformed(`expected another wire type than ${wireType} for field ${field}`);
    if (wireType === VARINT) return this.#number(field, kind);
    if (wireType === FIXED64) return this.#bounded(field, kind, 8, this.#at);
    if (wireType === FIXED32) return this.#bounded(field, kind, 4, this.#at);
    if (wireType !== LENGTH) throw this.#malformed(`field ${field} has the unknown wire type ${wireType}`);
    const headerAt = this.#at;
    const size = this.#varint(5);
    return size !== undefined && this.#bounded(field, kind, size, headerAt);
  }

  #number(field: number, kind: FieldKind | undefined): boolean {
    const start = this.#at;
    const value = this.#varint(10);
    if (value === undefined) return false;
    this.#checkEnd(field, 0);
    if (!kind) return true;
    this.#checkOnce(field, kind);
    const { reader } = this.#innermost();
    if (kind === 'varints') {
      reader.glimpse?.(field, this.#bytes.subarray(start, this.#at));
      reader.sized?.(field, 1);
    } else reader.integer?.(field, value);
    return true;
  }

  /** A field of `size` bytes that begin here, after its length at `headerAt`. */
  #bounded(field: number, kind: FieldKind | undefined, size: number, headerAt: number): boolean {
    this.#checkEnd(field, size);
    const kept = kind === 'text' || kind === 'texts' || kind === 'integers';
    if (kept && size > MAX_TEXT_BYTES)
      throw this.#malformed(`expected at most ${MAX_TEXT_BYTES} bytes in field ${field} but it has ${size}`);
    const seen = (kind === 'payload' || kind === 'varints') && size <= GLIMPSE_BYTES;
    if ((kept || seen) && size > this.#bytes.length - this.#at) return false;
    if (kind) this.#checkOnce(field, kind);
    if (kind === 'message' || kind === 'messages') this.#open(field, size, headerAt);
    else if (kind === 'integers') this.#integers(field, this.#at + size);
    else if (kept) this.#text(field, size);
    else this.#payload(field, kind, size);
    return true;
  }

  #open(field: number, size: number, headerAt: number): void {
    if (this.#frames.length >= MAX_DEPTH)
      throw this.#malformed(`expected at most ${MAX_DEPTH} messages within each other`);
    const parent = this.#innermost();
    const bodyAt = this.#position();
    const span = { headerAt: this.#base + headerAt, bodyAt, end: bodyAt + size, parent };
    const reader = parent.reader.open?.(field, span);
    if (reader) this.#frames.push({ reader, ...span, seen: 0 });
    else this.#ahead = size;
  }

  #integers(field: number, end: number): void {
    while (this.#at < end) {
      const value = this.#varint(10);
      if (value === undefined || this.#at > end) throw this.#malformed(`field ${field} ends in a number`);
      this.#innermost().reader.integer?.(field, value);
    }
  }

  #text(field: number, size: number): void {
    const { buffer, byteOffset } = this.#bytes;
    const bytes = Buffer.from(buffer, byteOffset + this.#at, size);
    if (!isUtf8(bytes)) throw this.#malformed(`expected UTF-8 in field ${field}`);
    this.#at += size;
    this.#innermost().reader.text?.(field, bytes.toString());
  }

  #payload(field: number, kind: FieldKind | undefined, size: number): void {
    this.#ahead = size;
    if (!kind) return;
    if ((kind === 'payload' || kind === 'varints') && size <= GLIMPSE_BYTES)
      this.#innermost().reader.glimpse?.(field, this.#bytes.subarray(this.#at, this.#at + size));
    if (kind === 'varints') {
      this.#counted = { field, count: 0 };
      return;
    }
    const width = kind === 'floats' ? 4 : kind === 'doubles' ? 8 : 1;
    if (size % width !== 0) throw this.#malformed(`field ${field} ends in a number`);
    this.#innermost().reader.sized?.(field, size / width);
  }

  /** An unsigned number, exact up to 2^53; undefined where it is not whole yet. */
  #varint(longest: number): number | undefined {
    let value = 0;
    for (let i = 0, scale = 1; i < longest; i++, scale *= 128) {
      const byte = this.#bytes[this.#at + i];
      if (byte === undefined) return undefined;
      value += (byte & 127) * scale;
      if (byte >= 128) continue;
      this.#at += i + 1;
      return value;
    }
    throw this.#malformed(`expected a number of at most ${longest} bytes`);
  }

  #checkEnd(field: number, size: number): void {
    const left = this.#innermost().end - this.#position();
    if (size > left) throw this.#malformed(`field ${field} reaches ${size - left} bytes beyond its message`);
  }

  #checkOnce(field: number, kind: FieldKind): void {
    const frame = this.#innermost();
    const bit = 1 << field;
    if (ONCE.has(kind) && (frame.seen & bit) !== 0) throw this.#malformed(`expected field ${field} once`);
    frame.seen |= bit;
  }

  #innermost(): Frame {
    return this.#frames.at(-1) as Frame;
  }

  #position(): number {
    return this.#base + this.#at;
  }

  #place(): string {
    return `${this.#frames.at(-1)?.reader.where() ?? 'model'}, byte ${this.#position()}`;
  }

  #malformed(sentence: string) {
    return rejected(this.#place(), `${sentence} (damaged, or no ONNX model)`);
  }
}
