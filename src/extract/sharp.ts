// The only place that loads sharp, an optional peer, and sets it up for this process.

import type sharp from 'sharp';
import { native } from '../native/load.js';
import { missingDependency } from '../util/errors.js';

export type Sharp = typeof sharp;

let loading: Promise<Sharp> | undefined;

/**
 * Loads sharp once. Settings of the whole process: no cache of operations (its bytes would have no account), one
 * thread per image (images are decoded side by side, so that a decoder's memory does not depend on cores), and a C heap
 * that maps large blocks (decoders clear a canvas before they know whether they need it).
 * Rejects with `ERR_MISSING_DEPENDENCY`.
 */
export function loadSharp(): Promise<Sharp> {
  loading ??= import('sharp').then(
    ({ default: sharp }) => {
      sharp.cache(false);
      sharp.concurrency(1);
      native().limitArenas?.();
      native().dropLibraryPages?.('libvips');
      return sharp;
    },
    (cause: unknown) => {
      throw missingDependency('sharp', 'decoding images', 'sharp', cause);
    },
  );
  return loading;
}
