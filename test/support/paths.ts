// Which path a test runs over, and the guard that it is the one asked for.
import { native, nativeReport } from '../../src/native/load.js';

/** True in the `native` project of the suite, false in `fallback`; throws where the wrong one loaded. */
export const overNative = expectedPath();

function expectedPath(): boolean {
  const wanted = process.env.SPILLWAY_NATIVE === 'require';
  const { loaded, reason } = nativeReport();
  if (loaded !== wanted) throw new Error(`the suite asked for native=${wanted}, but ${reason}`);
  return native().capabilities.length > 0;
}
