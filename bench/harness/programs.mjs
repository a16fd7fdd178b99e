// Whole programs, timed from their start to their end.
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { scratchFolder } from './data-sets.mjs';

const PRELOAD = new URL('../baselines/report-peak.mjs', import.meta.url).href;
const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/**
 * Runs a Node program to its end; rejects where that is not exit code 0.
 * @param {readonly string[]} args @param {string} [cwd]
 * @returns {Promise<{ ms: number, peakMB: number, stdout: string }>}
 */
export async function runNode(args, cwd) {
  const scratch = scratchFolder('peak');
  const peak = path.join(scratch, 'peak');
  try {
    const ended = await runToEnd(['--import', PRELOAD, ...args], { SPILLWAY_BENCH_PEAK: peak }, cwd);
    return { ...ended, peakMB: Number(readFileSync(peak, 'utf8')) };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The command line of spillway. @param {readonly string[]} args */
export const runSpillway = (args) => runNode([CLI, ...args]);

/** @param {readonly string[]} args @param {Record<string, string>} env @param {string} [cwd] @returns {Promise<{ ms: number, stdout: string }>} */
function runToEnd(args, env, cwd) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(process.execPath, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const ms = performance.now() - start;
      if (code === 0) resolve({ ms, stdout });
      else reject(new Error(`node ${args.join(' ')} ended with ${signal ?? code}: ${stderr.slice(-2000)}`));
    });
  });
}
