// What a file is by its content, not by its name.

export interface FileType {
  /** Media type, such as `image/jpeg`; `application/octet-stream` where the content is not recognised. */
  readonly mime: string;
  /** The usual extension without its dot; undefined where the content is not recognised. */
  readonly extension?: string;
}

/** As many first bytes as {@link fileTypeOf} makes use of. */
export const HEAD_BYTES = 4100;

/** Formats of science that the library does not know: first bytes, media type, extension. */
const SIGNATURES: readonly (readonly [start: string, mime: string, extension: string])[] = [
  // FITS standard 4.0, section 4.4.1: the first card is SIMPLE, its value in column 30.
  ['SIMPLE  =                    T', 'image/fits', 'fits'],
  // HDF5 file format specification 3.0, section II.A.
  ['\x89HDF\r\n\x1a\n', 'application/x-hdf5', 'h5'],
  // NetCDF classic, its 64-bit offset and 64-bit data variants.
  ['CDF\x01', 'application/x-netcdf', 'nc'],
  ['CDF\x02', 'application/x-netcdf', 'nc'],
  ['CDF\x05', 'application/x-netcdf', 'nc'],
];

let library: Promise<typeof import('file-type')> | undefined;

/** The type of a file that starts with `head`; an empty one is `application/x-empty`. */
export async function fileTypeOf(head: Uint8Array): Promise<FileType> {
  if (head.length === 0) return { mime: 'application/x-empty' };
  const start = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 64)).toString('latin1');
  const ours = SIGNATURES.find(([signature]) => start.startsWith(signature));
  if (ours) return { mime: ours[1], extension: ours[2] };
  library ??= import('file-type');
  const { fileTypeFromBuffer } = await library;
  const found = await fileTypeFromBuffer(head.subarray(0, HEAD_BYTES));
  return found ? { mime: found.mime, extension: found.ext } : { mime: 'application/octet-stream' };
}
