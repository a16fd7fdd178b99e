// Picks the engine and says why.
import { nativeReport } from '../../native/load.js';
import { codeOf, messageOf } from '../../util/errors.js';
import type { EngineChoice } from './engine.js';
import { openNativeEngine } from './native-engine.js';
import { openStockEngine } from './stock-engine.js';

/** Which engine is asked for; `'auto'` prefers the native one and reports why it could not serve. */
export type EngineName = 'auto' | 'native' | 'stock';

/**
 * Opens an engine. Rejects with `ERR_NATIVE_UNAVAILABLE` where the native one is asked for without the addon, with
 * `ERR_MISSING_DEPENDENCY` without onnxruntime-node, and with `ERR_ENGINE` where ONNX Runtime does not load.
 */
export async function openEngine(name: EngineName): Promise<EngineChoice> {
  if (name === 'native') return openNativeEngine();
  if (name === 'stock') return openStockEngine('asked for');
  try {
    return openNativeEngine();
  } catch (error) {
    if (codeOf(error) === 'ERR_MISSING_DEPENDENCY') throw error;
    const { loaded, reason } = nativeReport();
    return openStockEngine(loaded ? messageOf(error) : reason);
  }
}
