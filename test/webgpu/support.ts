// What makes calls to the Vulkan driver fail: test/native/failing-vulkan.cc, which stands before it here.
import { afterEach } from 'vitest';

/**
 * Lets a call fail from now on: `'3'` the third time alone, `'3+'` then and ever after; `'3B'`, of an allocation, every
 * time it is for three bytes and more.
 */
export function fail(call: string, which: string): void {
  process.env.FAILING_VULKAN = `${call}=${which}`;
}

export function failNothing(): void {
  delete process.env.FAILING_VULKAN;
}

afterEach(failNothing);
