import { describe, expect, it } from 'vitest';
import { fileTypeOf } from '../../src/extract/file-type.js';

describe('file type', () => {
  it.each([
    ['FITS', `SIMPLE  =                    T / conforms`, { mime: 'image/fits', extension: 'fits' }],
    ['HDF5', '\x89HDF\r\n\x1a\n\0', { mime: 'application/x-hdf5', extension: 'h5' }],
    ['NetCDF', 'CDF\x02\0\0\0\0', { mime: 'application/x-netcdf', extension: 'nc' }],
    [
      'PNG',
      '\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0',
      { mime: 'image/png', extension: 'png' },
    ],
    ['PDF', '%PDF-1.7\n', { mime: 'application/pdf', extension: 'pdf' }],
    ['nothing known', 'hello', { mime: 'application/octet-stream' }],
    ['nothing at all', '', { mime: 'application/x-empty' }],
  ])('recognises %s', async (_, text, type) => {
    expect(await fileTypeOf(Buffer.from(text, 'latin1'))).toEqual(type);
  });
});
