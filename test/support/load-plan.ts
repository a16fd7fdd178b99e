// How graphs are loaded where a test drives the addon itself.
import type { LoadPlan } from '../../src/contract/index.js';

/** On the CPU, one thread, one run at a time, and nothing else asked for. */
export const CPU_PLAN: LoadPlan = {
  device: 'cpu',
  threads: 1,
  concurrency: 1,
  freeDimensions: [],
  profile: '',
  operatorLibraries: [],
  optimise: true,
  optimisedPath: '',
  weightBytes: 0,
  structureBytes: 0,
};
