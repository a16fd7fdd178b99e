// The native side in JavaScript, as far as JavaScript can; what it cannot is missing from its capabilities.
import { createHash } from 'node:crypto';
import os from 'node:os';
import type { NativeSide } from '../contract/index.js';
import { createCaches } from './caches.js';
import { TimedGovernor } from './governor.js';
import { createLedger } from './ledger.js';
import { createChunkReader } from './reader-chunks.js';
import { createGroupReader } from './reader-groups.js';
import { openScanner } from './scanner.js';

/** Builds the JavaScript implementation of the native side. */
export function createFallback(): NativeSide {
  const ledger = createLedger();
  const governor = new TimedGovernor(ledger);
  return {
    capabilities: [],
    ledger,
    governor,
    // Node 20 ignores the CPU quota of a container; the addon does not.
    cores: () => os.availableParallelism(),
    openScanner,
    openChunkReader: (plan) => createChunkReader(ledger, plan),
    openGroupReader: (plan) => createGroupReader(ledger, plan),
    sha256: (bytes) => createHash('sha256').update(bytes).digest(),
    openCache: createCaches(ledger, governor),
    stop: () => undefined,
  };
}
