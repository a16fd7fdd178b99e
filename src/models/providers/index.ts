// The execution providers we know, in the order in which 'auto' tries them.
import { cpu } from './cpu.js';
import { cuda } from './cuda.js';
import type { Provider } from './provider.js';
import { webgpu } from './webgpu.js';

export const providers: readonly Provider[] = [cuda, webgpu, cpu];
