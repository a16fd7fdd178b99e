import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { readReports } from '../../scripts/sanitizer-reports.mjs';

const SOURCE = path.resolve('native/core/cpu.cc');
const RULE = '='.repeat(18);

/** How many of the reports in `text` count, and how many are others'. */
function judge(text: string): [number, number] {
  const folder = mkdtempSync(path.join(tmpdir(), 'spillway-reports-'));
  try {
    writeFileSync(path.join(folder, 'report.1'), text);
    const { counted, foreign } = readReports(folder);
    return [counted.length, foreign];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const race = (first: string, second: string, allocated: string) => `${RULE}
WARNING: ThreadSanitizer: data race (pid=1)
  Write of size 8 at 0x7b08000bbf20 by thread T30:
    #0 operator delete(void*) ../src/libsanitizer/tsan/tsan_new_delete.cpp:150 (libtsan.so.2.0.0+0x86c3d)
    #1 <null> <null> (${first}+0x1817b01)

  Previous read of size 8 at 0x7b08000bbf20 by thread T33:
    #0 <null> <null> (${second}+0x1817b44)
    #1 <null> <null> (spillway.node+0x293a2)

  Location is heap block of size 8 at 0x7b08000bbf20 allocated by thread T33:
    #0 malloc ../src/libsanitizer/tsan/tsan_interceptors_posix.cpp:647 (libtsan.so.2.0.0+0x3ebb8)
    #1 <null> <null> (${allocated}+0x110ad)

  Thread T30 (tid=20148, running) created by main thread at:
    #0 <null> <null> (spillway.node+0x110ad)

SUMMARY: ThreadSanitizer: data race in operator delete(void*)
${RULE}
`;

const descriptor = (opened: string) =>
  race('spillway.node', 'node', opened).replace(
    /Location is heap block.*/,
    'Location is file descriptor 3 created at:',
  );

const leak = (frame: string) => `
=================================================================
==1==ERROR: LeakSanitizer: detected memory leaks

Direct leak of 77 byte(s) in 1 object(s) allocated from:
    #0 0x7f4b in operator new[](unsigned long) ../src/libsanitizer/asan/asan_new_delete.cpp:98
    #1 0x7f4c in ${frame}

SUMMARY: AddressSanitizer: 77 byte(s) leaked in 1 allocation(s).
`;

it('counts a race that the addon is a side of, and not one of a library it only called', () => {
  expect(judge(race('spillway.node', 'libonnxruntime.so.1', 'node'))).toEqual([1, 0]);
  expect(judge(race('node', 'spillway.node', 'node'))).toEqual([1, 0]);
  expect(judge(race('libonnxruntime.so.1', 'libonnxruntime.so.1', 'spillway.node'))).toEqual([0, 1]);
  expect(judge(descriptor('spillway.node'))).toEqual([1, 0]);
  expect(judge(descriptor('node'))).toEqual([0, 1]);
  const both = race('node', 'node', 'node') + race('spillway.node', 'node', 'node');
  expect(judge(`${both}ThreadSanitizer: reported 2 warnings\n`)).toEqual([1, 1]);
});

it('counts what leaked under the addon, by its name or by its source', () => {
  expect(judge(leak('Napi::Leaks() (/x/build/Release/spillway.node+0x12)'))).toEqual([1, 0]);
  expect(judge(leak(`Leaks ${SOURCE}:24`))).toEqual([1, 0]);
  expect(judge(leak('node::Start(int, char**) (/usr/bin/node+0x12)'))).toEqual([0, 1]);
});

it('counts everything else, a sanitizer that fails among it', () => {
  expect(judge('==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x1\n')).toEqual([1, 0]);
  expect(judge('==1==LeakSanitizer has encountered a fatal error.\n')).toEqual([1, 0]);
  expect(judge('FATAL: ThreadSanitizer: unexpected memory mapping\n')).toEqual([1, 0]);
});
