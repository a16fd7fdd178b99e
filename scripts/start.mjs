// npm start: runs the photos workload over the given paths, or over the bundled samples.
//   npm start
//   npm start -- ~/Pictures --budget 512MB
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const given = args[0] !== undefined && !args[0].startsWith('-');
const command = [`${root}dist/cli/main.js`, 'run', ...(given ? [] : ['samples']), ...args];
// npm runs scripts in the package's folder; given paths belong to where the person stands.
const cwd = given ? (process.env.INIT_CWD ?? process.cwd()) : root;
const { status, signal } = spawnSync(process.execPath, command, { stdio: 'inherit', cwd });
// A sample folder holds broken files on purpose: "some items failed" is no failure of the start itself.
process.exitCode = signal ? 1 : status === 1 ? 0 : (status ?? 1);
