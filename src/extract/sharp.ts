// The only place that loads sharp, an optional peer, and sets it up for this process.

import type sharp from 'sharp';
import { native } from '../native/load.js';
import { missingDependency } from '../util/errors.js';

export type Sharp = typeof sharp;

let loading: Promise<Sharp> | undefined;

/**
 * Loads sharp once. Settings of the whole process: no cache of operations (its bytes would have no account) and
 * one thread per image (images are decoded side by side, so that a decoder's memory does not depend on cores).
 * Rejects with `ERR_MISSING_DEPENDENCY`.
 */
export function loadSharp(): Promise<Sharp> {
  loading ??= import('sharp').then(
    ({ default: sharp }) => {
      sharp.cache(false);
      sharp.concurrency(1);
      native().dropLibraryPages?.('libvips');
      return sharp;
    },
    (cause: unknown) => {
      throw missingDependency('sharp', 'decoding images', 'sharp', cause);
    },
  );
  return loading;
}
