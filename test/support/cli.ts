// Runs the command line as a person would: a process of its own, over the compiled code.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command; `ended` resolves with what it printed. */
export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has printed until now, whole lines of results. */
  readonly soFar: () => { readonly stdout: string; readonly stderr: string };
}

interface Options {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Standard input; `'open'`: the caller writes to it and it is not ended. Nothing unless told. */
  readonly input?: Buffer | string;
}

export function start(args: readonly string[], { cwd, env, input }: Options = {}): Started {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text.stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text.stderr += chunk;
  });
  if (input !== 'open') child.stdin.end(input ?? '');
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...text }));
  });
  return {
    child,
    ended,
    soFar: () => ({ ...text, stdout: text.stdout.slice(0, text.stdout.lastIndexOf('\n') + 1) }),
  };
}

export const spillway = (args: readonly string[], options?: Options): Promise<Ended> =>
  start(args, options).ended;

/** JSON lines as objects. */
export function lines<T = Record<string, unknown>>(text: string): T[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}
