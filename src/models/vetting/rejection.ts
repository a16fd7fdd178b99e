import { SpillwayError } from '../../util/errors.js';

/** `ERR_MODEL_REJECTED`: where in the model, and what was expected and came. */
export function rejected(where: string, sentence: string, options?: ErrorOptions): SpillwayError {
  return new SpillwayError('ERR_MODEL_REJECTED', `${where}: ${sentence}`, options);
}
