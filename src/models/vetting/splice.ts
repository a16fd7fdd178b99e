// Puts external data into the model itself, so that ONNX Runtime opens no file: it gets the very bytes that were
// vetted. Each such tensor becomes one with raw data, and every message around it gets its new length.
import type { ExternalTensor } from './external-reader.js';
import type { Span } from './message.js';

/** What stands in place of the bytes from `from` to `to` of the model. */
interface Edit {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
  /** The tensor whose data follows these bytes. */
  readonly tensor?: ExternalTensor;
}

/** Where the data of a tensor belongs in the new model. */
export interface Gap {
  readonly tensor: ExternalTensor;
  readonly at: number;
}

export interface Splice {
  /** Bytes of the new model. */
  readonly length: number;
  /** Writes the new model but for the data of its external tensors, whose places it returns. */
  write(model: Uint8Array, target: Uint8Array): Gap[];
}

const DIMS_TAG = 1 << 3;
const TYPE_TAG = 2 << 3;
const NAME_TAG = (8 << 3) | 2;
const RAW_TAG = (9 << 3) | 2;

/** How to put the data of `tensors` into a model of `length` bytes. */
export function planSplice(length: number, tensors: readonly ExternalTensor[]): Splice {
  const growth = new Map<Span, number>();
  const edits: Edit[] = [];
  const grow = (span: Span | undefined, bytes: number) => {
    if (span) growth.set(span, (growth.get(span) ?? 0) + bytes);
  };
  for (const tensor of tensors) {
    const edit = rawTensor(tensor);
    edits.push(edit);
    grow(tensor.span.parent, edit.bytes.length + tensor.bytes - (edit.to - edit.from));
  }
  // A message begins before all that it holds, so the last to begin has its final growth first.
  const around = new Set(tensors.flatMap(({ span }) => ancestors(span)));
  for (const span of [...around].sort((a, b) => b.bodyAt - a.bodyAt)) {
    const more = growth.get(span) ?? 0;
    if (!span.parent) continue; // the model as a whole has no length in front
    const bytes = Uint8Array.from(varint(span.end - span.bodyAt + more));
    edits.push({ from: span.headerAt, to: span.bodyAt, bytes });
    grow(span.parent, more + bytes.length - (span.bodyAt - span.headerAt));
  }
  edits.sort((a, b) => a.from - b.from);
  const root = [...around].find((span) => !span.parent);
  return {
    length: length + (root ? (growth.get(root) ?? 0) : 0),
    write: (model, target) => write(edits, model, target),
  };
}

function write(edits: readonly Edit[], model: Uint8Array, target: Uint8Array): Gap[] {
  const gaps: Gap[] = [];
  let from = 0;
  let at = 0;
  for (const { from: until, to, bytes, tensor } of edits) {
    target.set(model.subarray(from, until), at);
    at += until - from;
    target.set(bytes, at);
    at += bytes.length;
    if (tensor) {
      gaps.push({ tensor, at });
      at += tensor.bytes;
    }
    from = to;
  }
  target.set(model.subarray(from), at);
  return gaps;
}

/** The tensor with its length, up to where its raw data begins; what ONNX Runtime does not use is left out. */
function rawTensor(tensor: ExternalTensor): Edit {
  const { span, name, dims, typeNumber, bytes } = tensor;
  const text = Buffer.from(name);
  const fields = [
    ...dims.flatMap((size) => [DIMS_TAG, ...varint(size)]),
    ...[TYPE_TAG, ...varint(typeNumber)],
    ...[NAME_TAG, ...varint(text.length), ...text],
    ...[RAW_TAG, ...varint(bytes)],
  ];
  const header = varint(fields.length + bytes);
  return { from: span.headerAt, to: span.end, bytes: Uint8Array.from([...header, ...fields]), tensor };
}

function ancestors({ parent }: Span): Span[] {
  return parent ? [parent, ...ancestors(parent)] : [];
}

/** A number up to 2^53, seven bits a byte, lowest first. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}
