// Lays AV1 images that sharp has coded out as a HEIF container that it does not write (ISO/IEC 23008-12): a grid of
// tiles, or one image that is turned.

/**
 * A grid of equal tiles.
 * @param {Buffer} tile an AVIF without alpha
 * @param {{ columns: number, rows: number, width: number, height: number }} grid
 */
export function writeGrid(tile, { columns, rows, width, height }) {
  const { data, properties } = openAvif(tile);
  const count = columns * rows;
  // ImageGrid (6.6.2.3.2) with 32-bit sizes.
  const descriptor = Buffer.from([0, 1, rows - 1, columns - 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  descriptor.writeUInt32BE(width, 4);
  descriptor.writeUInt32BE(height, 8);
  const ids = Array.from({ length: count }, (_, i) => i + 2);
  const all = [extent(width, height), ...properties];
  const tileProperties = properties.map((_, i) => i + 2);
  // The grid has all properties of its tiles but their size and their decoder's configuration.
  const gridProperties = properties.flatMap(({ type }, i) =>
    type === 'ispe' || type === 'av1C' ? [] : [i + 2],
  );
  return layOut({
    data,
    items: [
      { id: 1, type: 'grid', properties: [1, ...gridProperties], inside: descriptor },
      ...ids.map((id) => ({ id, type: 'av01', properties: tileProperties })),
    ],
    properties: all.map(({ bytes }) => bytes),
    references: fullBox('iref', 0, 0, box('dimg', u16(1), u16(count), ...ids.map(u16))),
  });
}

/** The same image with a quarter turn. @param {Buffer} image an AVIF without alpha */
export function writeTurned(image) {
  const { data, properties } = openAvif(image);
  const all = [...properties.map(({ bytes }) => bytes), box('irot', Buffer.of(1))];
  return layOut({
    data,
    items: [{ id: 1, type: 'av01', properties: all.map((_, i) => i + 1) }],
    properties: all,
    references: Buffer.alloc(0),
  });
}

/**
 * @param {{ data: Buffer, properties: Buffer[], references: Buffer,
 *   items: { id: number, type: string, properties: number[], inside?: Buffer }[] }} file
 */
function layOut({ data, items, properties, references }) {
  const inside = Buffer.concat(items.map((item) => item.inside ?? Buffer.alloc(0)));
  const type = box('ftyp', Buffer.from('avif\0\0\0\0avifmif1', 'latin1'));
  const meta = (/** @type {number} */ dataAt) =>
    fullBox(
      'meta',
      0,
      0,
      fullBox('hdlr', 0, 0, Buffer.alloc(4), Buffer.from('pict', 'latin1'), Buffer.alloc(13)),
      fullBox('pitm', 0, 0, u16(1)),
      fullBox('iinf', 0, 0, u16(items.length), ...items.map(itemInfo)),
      references,
      box(
        'iprp',
        box('ipco', ...properties),
        fullBox(
          'ipma',
          0,
          0,
          u32(items.length),
          ...items.map((item) =>
            Buffer.concat([u16(item.id), Buffer.of(item.properties.length, ...item.properties)]),
          ),
        ),
      ),
      // Version 1: an item lies in the file (construction method 0) or in idat (1).
      fullBox(
        'iloc',
        1,
        0,
        Buffer.of(0x44, 0),
        u16(items.length),
        ...items.map((item) => {
          const [method, at, length] = item.inside ? [1, 0, item.inside.length] : [0, dataAt, data.length];
          return Buffer.concat([u16(item.id), u16(method), u16(0), u16(1), u32(at), u32(length)]);
        }),
      ),
      box('idat', inside),
    );
  const head = type.length + meta(0).length;
  return Buffer.concat([type, meta(head + 8), box('mdat', data)]);
}

/** @param {{ id: number, type: string }} item */
function itemInfo({ id, type }) {
  // Tiles are hidden: not images of their own.
  return fullBox('infe', 2, id === 1 ? 0 : 1, u16(id), u16(0), Buffer.from(`${type}\0`, 'latin1'));
}

/** The coded data and the properties of the first item. @param {Buffer} file */
function openAvif(file) {
  const meta = find(file, 'meta').subarray(4);
  const properties = [];
  for (const { type, bytes } of boxes(find(find(meta, 'iprp'), 'ipco')))
    if (['ispe', 'av1C', 'pixi', 'colr'].includes(type) && !properties.some((p) => p.type === type))
      properties.push({ type, bytes });
  return { data: find(file, 'mdat'), properties };
}

/** @param {Buffer} inside @param {string} wanted */
function find(inside, wanted) {
  for (const { type, bytes } of boxes(inside)) if (type === wanted) return bytes.subarray(8);
  throw new Error(`expected a box ${wanted} in an AVIF of one image`);
}

/** @param {Buffer} inside */
function* boxes(inside) {
  for (let at = 0; at + 8 <= inside.length; ) {
    const size = inside.readUInt32BE(at);
    yield { type: inside.toString('latin1', at + 4, at + 8), bytes: inside.subarray(at, at + size) };
    at += size;
  }
}

/** @param {number} width @param {number} height */
function extent(width, height) {
  return { type: 'ispe', bytes: fullBox('ispe', 0, 0, u32(width), u32(height)) };
}

/** @param {string} type @param {Buffer[]} content */
function box(type, ...content) {
  const body = Buffer.concat(content);
  return Buffer.concat([u32(body.length + 8), Buffer.from(type, 'latin1'), body]);
}

/** @param {string} type @param {number} version @param {number} flags @param {Buffer[]} content */
function fullBox(type, version, flags, ...content) {
  return box(type, u32((version << 24) | flags), ...content);
}

/** @param {number} value */
function u16(value) {
  return Buffer.of(value >> 8, value & 255);
}

/** @param {number} value */
function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
