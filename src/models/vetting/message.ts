// What a reader of one protobuf message says of its fields, and how it is told what they hold.

/**
 * How a field is read; the plural of a kind may occur more than once. `integer`: its value; `text`: UTF-8;
 * `payload`: only its length; `floats`, `doubles`, `varints`: only how many numbers; `message`: what it holds.
 */
export type FieldKind =
  | 'integer'
  | 'integers'
  | 'text'
  | 'texts'
  | 'payload'
  | 'payloads'
  | 'floats'
  | 'doubles'
  | 'varints'
  | 'message'
  | 'messages';

/** A shape of as many dimensions as a tensor may have, as int64. */
export const GLIMPSE_BYTES = 512;

/** By field number. */
export type FieldTable = Readonly<Record<number, FieldKind>>;

/** Where a message lies in the model. */
export interface Span {
  /** Of its length, which stands before its body. */
  readonly headerAt: number;
  readonly bodyAt: number;
  readonly end: number;
  readonly parent: Span | undefined;
}

/** Takes what one message holds. Fields that are not in `fields` are stepped over. */
export interface MessageReader {
  readonly fields: FieldTable;
  /** Its place in the model, for a person. */
  where(): string;
  integer?(field: number, value: number): void;
  text?(field: number, value: string): void;
  /** A payload of `size` bytes, or `size` numbers. */
  sized?(field: number, size: number): void;
  /** The bytes of a `payload`, or of `varints`, before its size is told, where they are at most {@link GLIMPSE_BYTES}. */
  glimpse?(field: number, bytes: Uint8Array): void;
  /** What reads the message; undefined steps over it. */
  open?(field: number, span: Span): MessageReader | undefined;
  close?(): void;
}
