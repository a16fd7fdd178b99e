// How a WebP is coded, which sharp does not tell (RFC 9649, WebP container specification).

import type { TargetSize } from './decoder-cost.js';

export interface WebpTraits {
  /** Whether its first frame is lossless. */
  readonly lossless: boolean;
  /**
   * Pixels of the first frame of an animation whose frames do not all fill the canvas, which libvips decodes at full
   * size; 0 for others.
   */
  readonly framePixels: number;
}

interface Chunk {
  readonly type: string;
  /** Cut where the file ends. */
  readonly content: Uint8Array;
}

/** Judges by what is there: of a file that is cut short the decoder knows. */
export function readWebp(bytes: Uint8Array): WebpTraits {
  const body = [...chunks(bytes.subarray(12))];
  const [first] = body;
  const frames = body.filter(({ type }) => type === 'ANMF').map(({ content }) => content);
  const [frame] = frames;
  const canvas = first?.type === 'VP8X' ? sizeAt(first.content, 4) : undefined;
  const image = frame ? [...chunks(frame.subarray(16))] : body;
  const fill = frames.every((one) => isEqual(sizeAt(one, 6), canvas));
  const { width, height } = frame && !fill ? sizeAt(frame, 6) : { width: 0, height: 0 };
  return { lossless: image.some(({ type }) => type === 'VP8L'), framePixels: width * height };
}

/** Width and height of 24 bits each, less one. */
function sizeAt(content: Uint8Array, at: number): TargetSize {
  if (at + 6 > content.length) return { width: 0, height: 0 };
  const buffer = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return { width: buffer.readUIntLE(at, 3) + 1, height: buffer.readUIntLE(at + 3, 3) + 1 };
}

function isEqual(a: TargetSize, b: TargetSize | undefined): boolean {
  return a.width === b?.width && a.height === b.height;
}

/** The chunks of a RIFF file one after another. */
function* chunks(bytes: Uint8Array): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    const type = String.fromCharCode(...bytes.subarray(at, at + 4));
    yield { type, content: bytes.subarray(at + 8, at + 8 + size) };
    // Chunks start at even places.
    at += 8 + size + (size % 2);
  }
}
