// npm run test:asan, test:tsan: builds the addon with a sanitizer, runs its tests, and fails with any report.
//   node scripts/test-sanitized.mjs address|thread [vitest arguments]
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNative } from './build-native.mjs';
import { readReports } from './sanitizer-reports.mjs';

const SANITIZERS = {
  address: { folder: 'build-asan', library: 'libasan.so', environment: addressOptions },
  thread: { folder: 'build-tsan', library: 'libtsan.so', environment: threadOptions },
};
const MAX_RANDOM_BITS = 28;

const root = fileURLToPath(new URL('..', import.meta.url));
const [name, ...vitestArguments] = process.argv.slice(2);
const sanitizer = SANITIZERS[name];
if (!sanitizer) throw new Error(`expected address or thread but received ${name}`);
const prebuild = path.join(root, sanitizer.folder);
const logs = path.join(prebuild, 'reports');

buildNative({ out: path.join(prebuild, 'build', 'Release'), sanitize: name });
rmSync(logs, { recursive: true, force: true });
mkdirSync(logs, { recursive: true });
const library = libraryPath(sanitizer.library);
const environment = {
  ...process.env,
  ...sanitizer.environment(),
  SPILLWAY_PREBUILD: prebuild,
  SPILLWAY_NATIVE: 'require',
  SPILLWAY_SANITIZER_LIBRARY: library,
};

const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
let failed = run([vitest, 'run', '--config', 'vitest.sanitized.config.ts', ...vitestArguments], environment);
if (name === 'address') failed = lookForLeaks() || failed;
const { counted, foreign } = readReports(logs);
for (const report of counted) console.log(`\n${report}`);
console.log(`${name}: ${counted.length} reports; ${foreign} more of code that is not ours were left out`);
process.exitCode = failed || counted.length > 0 ? 1 : 0;

/** True where it failed. */
function run(command, env) {
  const wrapped = [...withoutRandomisation(), process.execPath, ...command];
  const { status } = spawnSync(wrapped[0], wrapped.slice(1), { cwd: root, stdio: 'inherit', env });
  if (status !== 0) console.log(`${command[0]} ended with exit code ${status}`);
  return status !== 0;
}

/** Leaks are looked for where a process ends by itself with everything let go of. */
function lookForLeaks() {
  const options = `${environment.ASAN_OPTIONS}:detect_leaks=1:fast_unwind_on_malloc=0`;
  return run([path.join('test', 'native', 'leaks.mjs')], {
    ...environment,
    LD_PRELOAD: library,
    ASAN_OPTIONS: options,
    // The storage of V8's threads is not readable by the tracer, which then dies.
    LSAN_OPTIONS: `use_tls=0:print_suppressions=0:suppressions=${path.join(root, 'test', 'native', 'lsan.supp')}`,
  });
}

function addressOptions() {
  // ONNX Runtime is told that there is no memory by an allocation that fails, so that must not end the process.
  // What UndefinedBehaviorSanitizer finds goes to standard error and ends the process, and so fails its test.
  return {
    ASAN_OPTIONS: `log_path=${logs}/report:allocator_may_return_null=1:detect_leaks=0:abort_on_error=1:exitcode=0`,
    UBSAN_OPTIONS: 'print_stacktrace=1',
  };
}

function threadOptions() {
  return { TSAN_OPTIONS: `log_path=${logs}/report:allocator_may_return_null=1:exitcode=0` };
}

function libraryPath(file) {
  const found = execFileSync('c++', [`-print-file-name=${file}`], { encoding: 'utf8' }).trim();
  if (!path.isAbsolute(found)) throw new Error(`${file}, which comes with g++, is not installed`);
  return realpathSync(found);
}

/**
 * The command that fixes the layout of memory. Without it the runtime libraries of gcc 12 find their shadow memory
 * taken: always with more than 28 random bits, once in some fifty starts with fewer.
 */
function withoutRandomisation() {
  if (spawnSync('setarch', ['-R', 'true']).status === 0) return ['setarch', '-R'];
  const bits = Number(readFileSync('/proc/sys/vm/mmap_rnd_bits', 'utf8'));
  if (bits <= MAX_RANDOM_BITS) return [];
  throw new Error(
    `vm.mmap_rnd_bits is ${bits} and setarch -R is refused: sysctl vm.mmap_rnd_bits=28 mends it`,
  );
}
