// With another allocator in glibc's place, the first call to glibc's sets it up, and two at once crashed the process.
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { buildLibrary, hasCompiler } from '../support/native-library.js';
import { overNative } from '../support/paths.js';

/** Without the lock one process in six was lost. */
const PROCESSES = 24;
const dist = (file: string) => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);
// Threads that stand ready begin together, which those that have to be made first do not.
const program = `
  import { scan } from ${dist('index.js')};
  import { native } from ${dist('native/load.js')};
  const empty = async () => { for await (const _ of scan(process.argv[1])); };
  await Promise.all(Array.from({ length: 8 }, empty));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await Promise.all(Array.from({ length: 8 }, () => native().trim()));
  console.log('trimmed');`;

// The addon trims, and a compiler builds the allocator. A sanitizer is preloaded itself, and is such an allocator: there this is native/termination.test.ts.
it.runIf(overNative && hasCompiler && !process.env.LD_PRELOAD)(
  'trims from many threads at once where another allocator is preloaded',
  () => {
    const env = { ...process.env, LD_PRELOAD: buildLibrary('other-allocator', { flags: ['-O2'] }) };
    for (let i = 0; i < PROCESSES; i++) {
      const { stdout, signal, stderr } = spawnSync(
        process.execPath,
        ['--input-type=module', '-e', program, import.meta.dirname],
        { env, encoding: 'utf8' },
      );
      expect({ stdout, signal, stderr }).toEqual({ stdout: 'trimmed\n', signal: null, stderr: '' });
    }
  },
);
