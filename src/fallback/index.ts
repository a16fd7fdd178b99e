// The native side in JavaScript, as far as JavaScript can; what it cannot is missing from its capabilities.
import os from 'node:os';
import type { NativeSide } from '../contract/index.js';
import { createLedger } from './ledger.js';
import { openScanner } from './scanner.js';

/** Builds the JavaScript implementation of the native side. */
export function createFallback(): NativeSide {
  return {
    capabilities: [],
    ledger: createLedger(),
    // Node 20 ignores the CPU quota of a container; the addon does not.
    cores: () => os.availableParallelism(),
    openScanner,
    stop: () => undefined,
  };
}
