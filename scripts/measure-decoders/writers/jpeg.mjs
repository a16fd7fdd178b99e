// Writes JPEGs of modes that sharp does not write (ITU-T T.81). All coefficients are zero, which makes them flat and
// lets every block be coded in a bit or two; what a decoder holds depends on the frame header, not on them.

/** @typedef {readonly [horizontal: number, vertical: number]} Sampling */

/**
 * @param {object} image
 * @param {number} image.width
 * @param {number} image.height
 * @param {readonly Sampling[]} image.sampling for each component, such as [[2, 2], [1, 1], [1, 1]] for 4:2:0
 * @param {'baseline' | 'progressive' | 'planes'} [image.scans] one scan; coefficients in several; a scan per component
 * @param {boolean} [image.arithmetic] arithmetic instead of Huffman coding
 * @param {number} [image.precision] bits of a sample
 * @param {boolean} [image.lossless] predictive coding (T.81 annex H)
 */
export function writeJpeg({
  width,
  height,
  sampling,
  scans = 'baseline',
  arithmetic = false,
  precision = 8,
  lossless = false,
}) {
  const frame = frameMarker({ progressive: scans === 'progressive', arithmetic, precision, lossless });
  const parts = [
    Buffer.of(0xff, 0xd8),
    // Adobe's marker tells CMYK from YCCK (Technical Note 5116, section 18).
    ...(sampling.length === 4 ? [segment(0xee, Buffer.from('Adobe\0\x64\0\0\0\0\0', 'latin1'))] : []),
    // One table of quantisation, all ones.
    segment(0xdb, Buffer.concat([Buffer.of(0), Buffer.alloc(64, 1)])),
    segment(frame, frameHeader({ width, height, sampling, precision })),
    ...(arithmetic ? [] : [0x00, 0x10].map((table) => segment(0xc4, oneCodeTable(table)))),
  ];
  const all = sampling.map((_, i) => i);
  const add = (
    /** @type {number[]} */ components,
    /** @type {number} */ from,
    /** @type {number} */ to,
    /** @type {number} */ bits,
  ) => {
    parts.push(segment(0xda, scanHeader(components, lossless ? 1 : from, to)));
    // The decoder is fed zeros where arithmetic coded data ends early (T.81, D.2.6).
    const blocks = arithmetic ? 0 : countBlocks({ width, height, sampling, components, lossless });
    parts.push(Buffer.alloc(Math.ceil((blocks * bits) / 8)));
  };
  // A zero bit each for the DC difference and for the end of block.
  if (scans === 'planes') for (const component of all) add([component], 0, 63, 2);
  else if (scans === 'baseline') add(all, 0, lossless ? 0 : 63, lossless ? 1 : 2);
  else {
    add(all, 0, 0, 1);
    for (const component of all) add([component], 1, 63, 1);
  }
  return Buffer.concat([...parts, Buffer.of(0xff, 0xd9)]);
}

/** @param {{ progressive: boolean, arithmetic: boolean, precision: number, lossless: boolean }} mode */
function frameMarker({ progressive, arithmetic, precision, lossless }) {
  if (lossless) return arithmetic ? 0xcb : 0xc3;
  if (arithmetic) return progressive ? 0xca : 0xc9;
  if (progressive) return 0xc2;
  return precision === 8 ? 0xc0 : 0xc1;
}

/** @param {number} marker @param {Buffer} payload */
function segment(marker, payload) {
  const head = Buffer.of(0xff, marker, 0, 0);
  head.writeUInt16BE(payload.length + 2, 2);
  return Buffer.concat([head, payload]);
}

/** @param {{ width: number, height: number, sampling: readonly Sampling[], precision: number }} frame */
function frameHeader({ width, height, sampling, precision }) {
  const head = Buffer.of(precision, 0, 0, 0, 0, sampling.length);
  head.writeUInt16BE(height, 1);
  head.writeUInt16BE(width, 3);
  return Buffer.concat([head, ...sampling.map(([h, v], i) => Buffer.of(i + 1, (h << 4) | v, 0))]);
}

/** @param {number[]} components @param {number} from @param {number} to */
function scanHeader(components, from, to) {
  const chosen = components.flatMap((component) => [component + 1, 0]);
  return Buffer.of(components.length, ...chosen, from, to, 0);
}

/** A Huffman table with one code, of one bit, for the value 0. @param {number} table */
function oneCodeTable(table) {
  return Buffer.concat([Buffer.of(table, 1), Buffer.alloc(15), Buffer.of(0)]);
}

/**
 * @param {{ width: number, height: number, sampling: readonly Sampling[], components: number[], lossless: boolean }} scan
 */
function countBlocks({ width, height, sampling, components, lossless }) {
  const side = lossless ? 1 : 8;
  const most = [0, 1].map((axis) => Math.max(...sampling.map((factors) => factors[axis] ?? 1)));
  const [mostH = 1, mostV = 1] = most;
  if (components.length === 1) {
    const [h, v] = sampling[components[0] ?? 0] ?? [1, 1];
    const columns = Math.ceil(Math.ceil((width * h) / mostH) / side);
    return columns * Math.ceil(Math.ceil((height * v) / mostV) / side);
  }
  const units = Math.ceil(width / (side * mostH)) * Math.ceil(height / (side * mostV));
  return units * components.reduce((sum, i) => sum + (sampling[i]?.[0] ?? 1) * (sampling[i]?.[1] ?? 1), 0);
}
