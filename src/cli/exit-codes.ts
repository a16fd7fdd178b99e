// The exit codes of the command line, and which error leads to which.
import { codeOf } from '../util/errors.js';

export const EXIT = {
  done: 0,
  someFailed: 1,
  badArguments: 2,
  refused: 3,
  stopped: 4,
  ourFault: 70,
} as const;

const REFUSED: ReadonlySet<string> = new Set(['ERR_BUDGET_EXCEEDED']);
/** The machine has no memory left for the job: what is done is kept, and the same command goes on. */
const STOPPED: ReadonlySet<string> = new Set(['ERR_OUT_OF_MEMORY']);
/** What the person at the keyboard, or the machine's set-up, can mend. */
const CONFIGURATION: ReadonlySet<string> = new Set([
  'ERR_BUDGET_CONFLICT',
  'ERR_CACHE_CORRUPT',
  'ERR_CACHE_FAILED',
  'ERR_CACHE_UNSAFE',
  'ERR_CACHE_VERSION',
  'ERR_DEVICE_UNAVAILABLE',
  'ERR_ENGINE',
  'ERR_FILE_CHANGED',
  'ERR_INVALID_ARGUMENT',
  'ERR_MISSING_DEPENDENCY',
  'ERR_MODEL_REJECTED',
  'ERR_NATIVE_UNAVAILABLE',
  'ERR_NOT_A_FILE',
  'ERR_TOO_LARGE',
]);
const SYSTEM_CODE = /^E(?!RR_)[A-Z0-9]+$/;

/** The exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  const code = codeOf(error) ?? '';
  if (STOPPED.has(code)) return EXIT.stopped;
  if (REFUSED.has(code)) return EXIT.refused;
  return CONFIGURATION.has(code) || SYSTEM_CODE.test(code) ? EXIT.badArguments : EXIT.ourFault;
}
