// The limits: small C programs, compiled on the spot.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('../native/', import.meta.url));
const BUILD = fileURLToPath(new URL('../build/', import.meta.url));

/** Compiles bench/native/<name>.c, unless that is done; the path of the program. @param {string} name */
export function compile(name) {
  const source = `${SOURCES}${name}.c`;
  const program = `${BUILD}${name}`;
  if (existsSync(program) && statSync(program).mtimeMs >= statSync(source).mtimeMs) return program;
  mkdirSync(BUILD, { recursive: true });
  const draft = `${program}.${process.pid}`;
  execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-std=gnu11', '-pthread', '-o', draft, source], {
    stdio: ['ignore', 2, 2],
  });
  renameSync(draft, program);
  return program;
}

/** Whether C can be compiled here: a reason to skip where it cannot. */
export function whyNoCompiler() {
  if (process.platform !== 'linux') return `the limits are written for Linux, this is ${process.platform}`;
  return spawnSync('cc', ['--version']).status === 0 ? undefined : 'cc is not installed';
}

/** Runs a program that prints one JSON value. @param {string} program @param {readonly string[]} args */
export function runProgram(program, args) {
  return JSON.parse(execFileSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 26 }));
}
