/** Every failure that spillway itself reports carries one of these codes; system errors keep their own (`ENOENT`, `EACCES`). */
export type ErrorCode =
  | 'ERR_ABORTED'
  | 'ERR_BUDGET_CONFLICT'
  | 'ERR_BUDGET_EXCEEDED'
  | 'ERR_CACHE_CORRUPT'
  | 'ERR_CACHE_FAILED'
  | 'ERR_CACHE_UNSAFE'
  | 'ERR_CACHE_VERSION'
  | 'ERR_CLOSED'
  | 'ERR_DEADLINE'
  | 'ERR_DECODE'
  | 'ERR_DEVICE_LOST'
  | 'ERR_DEVICE_UNAVAILABLE'
  | 'ERR_ENGINE'
  | 'ERR_FILE_CHANGED'
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_MISSING_DEPENDENCY'
  | 'ERR_MODEL_REJECTED'
  | 'ERR_NATIVE_UNAVAILABLE'
  | 'ERR_NOT_A_FILE'
  | 'ERR_NOT_FINITE'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_PIXEL_LIMIT'
  | 'ERR_TOO_LARGE'
  | 'ERR_TRUNCATED';

/**
 * The one error class of spillway. Its constructor is handed to the addon once, so that an error raised in
 * C++ is a real instance of it.
 */
export class SpillwayError extends Error {
  /** A member of {@link ErrorCode}, or a system code such as `ENOENT` for an error that came from the kernel. */
  readonly code: string;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SpillwayError';
    this.code = code;
  }
}

/** The code of any thrown value: ours, the system's, or undefined where it has none. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The one sentence for a wrong argument: what was expected, for which name, and what came. */
export function invalidArgument(name: string, expected: string, received: unknown): SpillwayError {
  return new SpillwayError(
    'ERR_INVALID_ARGUMENT',
    `expected ${expected} for ${name} but received ${describe(received)}`,
  );
}

/** Names the package that is not installed and the command that installs it. */
export function missingDependency(
  packageName: string,
  purpose: string,
  install: string,
  cause?: unknown,
): SpillwayError {
  return new SpillwayError(
    'ERR_MISSING_DEPENDENCY',
    `${purpose} needs the package ${packageName}: install it with \`npm install ${install}\` (${messageOf(cause).split('\n')[0]})`,
    { cause },
  );
}

function describe(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (value === null || ['number', 'boolean', 'undefined', 'bigint'].includes(typeof value))
    return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' ? (value?.constructor?.name ?? 'an object') : typeof value;
}
