// A run that lacks one package may lack the next as well: all are named at once.
import { createRequire } from 'node:module';
import { codeOf, messageOf, SpillwayError } from '../util/errors.js';

/** The optional peers that every workload over photos needs. */
const NEEDED = ['sharp', 'onnxruntime-node'];

/** The same error, or where more than one package is missing one that names them and the command for all. */
export function withAllMissing(error: unknown): unknown {
  if (codeOf(error) !== 'ERR_MISSING_DEPENDENCY') return error;
  const { resolve } = createRequire(import.meta.url);
  const missing = NEEDED.filter((name) => {
    try {
      resolve(name);
      return false;
    } catch {
      return true;
    }
  });
  if (missing.length < 2) return error;
  return new SpillwayError(
    'ERR_MISSING_DEPENDENCY',
    `${messageOf(error)}; ${missing.join(' and ')} are missing: npm install ${missing.join(' ')}`,
    { cause: error },
  );
}
