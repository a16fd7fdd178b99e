// ONNX Runtime driven by the addon: runs off the JavaScript thread, exact bytes, cancellation in mid-run.
import type { InferSession, LoadPlan } from '../../contract/index.js';
import { native, requireCapability } from '../../native/load.js';
import { SpillwayError } from '../../util/errors.js';
import type { EngineChoice, EngineSession } from './engine.js';
import { onnxruntimeLibrary } from './onnxruntime.js';

/**
 * Opens the library and returns the engine over it. Throws `ERR_NATIVE_UNAVAILABLE`, `ERR_MISSING_DEPENDENCY`,
 * or `ERR_ENGINE` where another version of the library is in the way.
 */
export function openNativeEngine(): EngineChoice {
  requireCapability('infer', 'the native engine');
  const { infer } = native();
  if (!infer) throw new SpillwayError('ERR_NATIVE_UNAVAILABLE', 'the addon was built without inference');
  const { version, path, reused } = infer.open(onnxruntimeLibrary());
  return {
    engine: {
      name: 'native',
      version,
      load: async (model: Uint8Array, plan: LoadPlan) => asEngineSession(await infer.load(model, plan)),
      close: async () => undefined,
      childRssBytes: () => 0,
      peakChildRssBytes: () => 0,
    },
    reason: `the addon drives ${path}${reused ? ', which was already mapped' : ''}`,
  };
}

/** The addon's own object: an object around it would be one more call in each run. */
function asEngineSession(session: InferSession): EngineSession {
  return Object.defineProperty(session, 'lost', {
    get: () => session.released || session.evicted !== undefined,
  }) as EngineSession;
}
