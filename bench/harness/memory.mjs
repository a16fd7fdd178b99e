// Resident memory as the kernel counts it.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { median } from './statistics.mjs';

const BARE = fileURLToPath(new URL('../baselines/bare.mjs', import.meta.url));

/** Resident bytes of this process now, and the most since it was started, in MB (10⁶). */
export function residentMB() {
  // Not getrusage's maximum: that one is inherited from the process that started us.
  const status = readFileSync('/proc/self/status', 'utf8');
  return { now: field(status, 'VmRSS'), peak: field(status, 'VmHWM') };
}

/** What Node itself takes: an empty ES module in a fresh process, median of five, in MB. */
export function bareNodeMB() {
  const runs = Array.from({ length: 5 }, () => {
    const said = execFileSync(process.execPath, [BARE], { encoding: 'utf8' });
    return /** @type {{ now: number, peak: number }} */ (JSON.parse(said));
  });
  return { now: median(runs.map(({ now }) => now)), peak: median(runs.map(({ peak }) => peak)) };
}

/** @param {string} status @param {string} name */
function field(status, name) {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/self/status does not say ${name}`);
  return (Number(kilobytes) * 1024) / 1e6;
}
