// What a HEIF or AVIF file holds: its codec, chroma and tiles, which sharp does not tell (ISO/IEC 23008-12, AV1-ISOBMFF).

import type { TargetSize } from './decoder-cost.js';

export interface HeifTraits {
  /** What the primary image, or each tile of its grid, is coded as: `av01`, `hvc1`, `jpeg` … */
  readonly codec: string;
  /** AV1: samples of each pixel, transparency aside: 1.5 for 4:2:0; undefined for other codecs. */
  readonly samplesPerPixel: number | undefined;
  /** The size of a tile where the image is a grid of tiles, which are decoded one by one. */
  readonly tile: TargetSize | undefined;
}

interface Box {
  readonly type: string;
  /** Its content, after size and type. */
  readonly view: DataView;
}

interface Item {
  readonly type: string;
  readonly properties: readonly Box[];
}

/** Images made of others: what they are made of decides. */
const DERIVED = ['grid', 'iovl', 'iden'];
/** A chain of derived images that is longer is no image. */
const LONGEST_CHAIN = 4;

/** Undefined where the file is not understood, broken ones included: then the decoder judges. */
export function readHeif(bytes: Uint8Array): HeifTraits | undefined {
  try {
    return traitsOf(bytes);
  } catch (error) {
    // The file says that it goes on where it does not.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function traitsOf(bytes: Uint8Array): HeifTraits | undefined {
  const meta = child(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 'meta');
  if (!meta) return undefined;
  const boxes = rest(meta, 4);
  const primary = child(boxes, 'pitm');
  if (!primary) return undefined;
  const types = itemTypes(boxes);
  const properties = itemProperties(boxes);
  const madeOf = firstReferences(boxes);
  let id = idAt(primary, 4, primary.getUint8(0));
  let type = types.get(id);
  const isGrid = type === 'grid';
  for (let i = 0; type !== undefined && DERIVED.includes(type); i++) {
    if (i === LONGEST_CHAIN) return undefined;
    id = madeOf.get(id) ?? Number.NaN;
    type = types.get(id);
  }
  return type === undefined ? undefined : describe({ type, properties: properties.get(id) ?? [] }, isGrid);
}

function describe({ type, properties }: Item, isGrid: boolean): HeifTraits {
  const extent = properties.find((property) => property.type === 'ispe')?.view;
  const configuration = properties.find((property) => property.type === 'av1C')?.view;
  return {
    codec: type,
    samplesPerPixel: configuration && samplesPerPixel(configuration),
    tile: isGrid && extent ? { width: extent.getUint32(4), height: extent.getUint32(8) } : undefined,
  };
}

/** From the flags of AV1CodecConfigurationBox (AV1-ISOBMFF 2.3.3): monochrome, subsampling across and down. */
function samplesPerPixel(configuration: DataView): number {
  const flags = configuration.getUint8(2);
  if (flags & 0x10) return 1;
  if (flags & 0x04) return 1.5;
  return flags & 0x08 ? 2 : 3;
}

function itemTypes(boxes: DataView): Map<number, string> {
  const types = new Map<number, string>();
  const list = child(boxes, 'iinf');
  if (!list) return types;
  for (const { type, view } of children(rest(list, list.getUint8(0) === 0 ? 6 : 8))) {
    const version = view.getUint8(0);
    if (type !== 'infe' || version < 2) continue;
    const wide = version > 2;
    types.set(wide ? view.getUint32(4) : view.getUint16(4), fourCharacters(view, wide ? 10 : 8));
  }
  return types;
}

/** For each derived item the first one that it is made of. */
function firstReferences(boxes: DataView): Map<number, number> {
  const first = new Map<number, number>();
  const list = child(boxes, 'iref');
  if (!list) return first;
  const version = list.getUint8(0);
  const idBytes = version === 0 ? 2 : 4;
  for (const { type, view } of children(rest(list, 4)))
    if (type === 'dimg') first.set(idAt(view, 0, version), idAt(view, idBytes + 2, version));
  return first;
}

function itemProperties(boxes: DataView): Map<number, Box[]> {
  const associated = new Map<number, Box[]>();
  const container = child(boxes, 'iprp');
  const list = container && child(container, 'ipco');
  const table = container && child(container, 'ipma');
  if (!list || !table) return associated;
  const properties = [...children(list)];
  const version = table.getUint8(0);
  const wide = (table.getUint8(3) & 1) === 1;
  let at = 8;
  for (let left = table.getUint32(4); left > 0; left--) {
    const id = idAt(table, at, version);
    at += version === 0 ? 2 : 4;
    const count = table.getUint8(at++);
    const chosen: Box[] = [];
    for (let i = 0; i < count; i++) {
      const index = wide ? table.getUint16(at) & 0x7fff : table.getUint8(at) & 0x7f;
      at += wide ? 2 : 1;
      // Counted from 1; 0 is none.
      const property = properties[index - 1];
      if (property) chosen.push(property);
    }
    associated.set(id, chosen);
  }
  return associated;
}

/** An item's number: 16 bits in version 0 of a box, else 32. */
function idAt(view: DataView, at: number, version: number): number {
  return version === 0 ? view.getUint16(at) : view.getUint32(at);
}

function child(view: DataView, wanted: string): DataView | undefined {
  for (const { type, view: content } of children(view)) if (type === wanted) return content;
  return undefined;
}

/** The boxes one after another (ISO/IEC 14496-12, 4.2). Throws `RangeError` where one reaches beyond `view`. */
function* children(view: DataView): Generator<Box> {
  for (let at = 0; at + 8 <= view.byteLength; ) {
    const said = view.getUint32(at);
    const head = said === 1 ? 16 : 8;
    // 1: the size follows in 64 bits; 0: up to the end.
    const size = said === 1 ? Number(view.getBigUint64(at + 8)) : said || view.byteLength - at;
    yield { type: fourCharacters(view, at + 4), view: rest(view, at + head, size - head) };
    at += size;
  }
}

function rest(view: DataView, at: number, length = view.byteLength - at): DataView {
  return new DataView(view.buffer, view.byteOffset + at, length);
}

function fourCharacters(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}
