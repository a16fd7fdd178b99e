import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { nativeReport } from '../../src/native/load.js';

const library = process.env.SPILLWAY_SANITIZER_LIBRARY;

it.runIf(library)('the sanitized addon and its runtime library are what is tested', () => {
  const { loaded, reason } = nativeReport();
  expect(loaded).toBe(true);
  expect(reason.startsWith(String(process.env.SPILLWAY_PREBUILD))).toBe(true);
  expect(readFileSync('/proc/self/maps', 'utf8')).toContain(library);
});
