// What a device must say of itself before a graph is loaded on it.
import type { Device } from '../../contract/index.js';

/** An execution provider of ONNX Runtime. */
export interface Provider {
  readonly device: Device;
  /** Whether a device that failed computes again once no session is left on it. */
  readonly recovers: boolean;
  /** Why this machine cannot use it, or undefined where a load is worth trying. Loads nothing. */
  unavailable(): string | undefined;
}
