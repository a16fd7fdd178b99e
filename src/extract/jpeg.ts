// How a JPEG is coded: sharp takes all subsampled chroma for 4:2:0.

export interface JpegTraits {
  /** Bits of a sample. */
  readonly precision: number;
  /** Samples of all components together for each pixel: 3 without subsampling, 1.5 for 4:2:0. */
  readonly samplesPerPixel: number;
  /** Predictive coding (T.81 annex H), which cannot be shrunk while it is decoded. */
  readonly lossless: boolean;
}

/** From the first frame header (ITU-T T.81, B.2.2); undefined where there is none. */
export function readJpeg(bytes: Uint8Array): JpegTraits | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 2; at + 10 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    // Bytes that only fill up.
    if (marker === 0xff) at++;
    else if (isFrame(marker)) return frameTraits(bytes.subarray(at + 4), (marker & 3) === 3);
    else at += 2 + view.getUint16(at + 2);
  }
  return undefined;
}

/** SOF0 to SOF15, among which DHT, JPG and DAC lie. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
}

function frameTraits(frame: Uint8Array, lossless: boolean): JpegTraits {
  const [precision = 8, , , , , components = 0] = frame;
  let samples = 0;
  let across = 1;
  let down = 1;
  for (let i = 0; i < components; i++) {
    const factors = frame[7 + 3 * i] ?? 0x11;
    samples += (factors >> 4) * (factors & 15);
    across = Math.max(across, factors >> 4);
    down = Math.max(down, factors & 15);
  }
  return { precision, samplesPerPixel: samples / (across * down), lossless };
}
