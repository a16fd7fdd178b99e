// What makes calls to the Vulkan driver fail: test/native/failing-vulkan.cc, which stands before it here.
import { afterEach } from 'vitest';

const SETTINGS = { submit: 'FAILING_VULKAN_SUBMIT', allocate: 'FAILING_VULKAN_ALLOCATE' };

/**
 * Which call of a kind fails from now on: '3' the third alone, '3+' that one and all after it; '3B' every allocation of
 * three bytes and more.
 */
export function fail(kind: keyof typeof SETTINGS, calls: string): void {
  process.env[SETTINGS[kind]] = calls;
}

export function failNothing(): void {
  for (const name of Object.values(SETTINGS)) delete process.env[name];
}

afterEach(failNothing);
