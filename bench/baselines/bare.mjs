// Node with nothing to do: prints its resident memory. Reads it without importing what the benches import.
import { readFileSync } from 'node:fs';

const status = readFileSync('/proc/self/status', 'utf8');
const MB = (name) => (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024) / 1e6;
process.stdout.write(JSON.stringify({ now: MB('VmRSS'), peak: MB('VmHWM') }));
