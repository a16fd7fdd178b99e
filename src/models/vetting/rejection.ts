import { SpillwayError } from '../../util/errors.js';

/** Names come from the model: no more of them than a line holds, and nothing that a terminal obeys. */
const LONGEST = 400;

/** `ERR_MODEL_REJECTED`: where in the model, and what was expected and came. */
export function rejected(where: string, sentence: string, options?: ErrorOptions): SpillwayError {
  return new SpillwayError('ERR_MODEL_REJECTED', `${printable(where)}: ${printable(sentence)}`, options);
}

function printable(text: string): string {
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return short.replaceAll(/\p{Cc}/gu, '\ufffd');
}
