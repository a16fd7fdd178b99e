// Picks the addon or its JavaScript fallback, once per environment, and says which and why.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Capability, NativeSide } from '../contract/index.js';
import { createFallback } from '../fallback/index.js';
import { invalidArgument, messageOf, SpillwayError } from '../util/errors.js';

/** Which implementation of the native side serves, and why. */
export interface NativeReport {
  readonly loaded: boolean;
  /** The path of the addon, or why the JavaScript path serves. */
  readonly reason: string;
}

/** The addon's exports: the native side plus what ties it to this environment. */
interface Addon extends Omit<NativeSide, 'capabilities'> {
  setErrorClass(errorClass: typeof SpillwayError): void;
}

interface Loaded {
  readonly side: NativeSide;
  readonly report: NativeReport;
}

const ADDON_CAPABILITIES: readonly Capability[] = [
  'raw-names',
  'infer',
  'gpu',
  'trim',
  'shared-cache',
  'governor',
];
const PACKAGE_ROOT = fileURLToPath(new URL('../..', import.meta.url));

// Two copies of the package in one environment share one native side, and so one ledger.
const SLOT = Symbol.for('spillway.native.1');
const slot = globalThis as { [SLOT]?: Loaded };

/** The native side of this environment; loads it at the first call. */
export function native(): NativeSide {
  return loaded().side;
}

/** Which implementation serves, and why. */
export function nativeReport(): NativeReport {
  return loaded().report;
}

/** Throws `ERR_NATIVE_UNAVAILABLE` where the implementation in use cannot do `capability`. */
export function requireCapability(capability: Capability, purpose: string): void {
  const { side, report } = loaded();
  if (side.capabilities.includes(capability)) return;
  throw new SpillwayError(
    'ERR_NATIVE_UNAVAILABLE',
    `${purpose} needs the native addon, and the JavaScript path serves: ${report.reason}`,
  );
}

function loaded(): Loaded {
  slot[SLOT] ??= load(process.env.SPILLWAY_NATIVE || 'auto');
  return slot[SLOT];
}

function load(mode: string): Loaded {
  if (!['auto', 'off', 'require'].includes(mode))
    throw invalidArgument('SPILLWAY_NATIVE', "'auto', 'off' or 'require'", mode);
  if (mode === 'off') return fallback('SPILLWAY_NATIVE=off');
  try {
    return loadAddon();
  } catch (error) {
    const reason = messageOf(error).split('\n')[0] ?? '';
    if (mode === 'auto') return fallback(reason);
    throw new SpillwayError(
      'ERR_NATIVE_UNAVAILABLE',
      `SPILLWAY_NATIVE=require, but the addon did not load: ${reason}`,
      { cause: error },
    );
  }
}

function loadAddon(): Loaded {
  const require = createRequire(import.meta.url);
  const find = require('node-gyp-build') as { resolve(root: string): string };
  const path = find.resolve(PACKAGE_ROOT);
  const addon = require(path) as Addon;
  addon.setErrorClass(SpillwayError);
  // Neither the cleanup hook nor atexit stops runs in time on process.exit().
  process.on('exit', () => addon.stop());
  return { side: { ...addon, capabilities: ADDON_CAPABILITIES }, report: { loaded: true, reason: path } };
}

function fallback(reason: string): Loaded {
  return { side: createFallback(), report: { loaded: false, reason } };
}
