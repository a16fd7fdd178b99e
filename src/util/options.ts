import * as v from 'valibot';
import { invalidArgument } from './errors.js';

/**
 * Validates an option bag and fills its defaults. The first issue becomes `ERR_INVALID_ARGUMENT` with the
 * option's full name, what was expected and what came.
 */
export function parseOptions<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  name: string,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const path = v.getDotPath(issue);
  // Of what is checked by a function the message alone says what was expected.
  const expected = issue.type === 'custom' ? issue.message : (issue.expected ?? issue.message);
  throw invalidArgument(path ? `${name}.${path}` : name, expected, issue.input);
}

/** An `AbortSignal`, as every long call takes one. */
export const signalSchema = v.optional(v.instance(AbortSignal));
