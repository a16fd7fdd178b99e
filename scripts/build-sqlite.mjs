// Builds better-sqlite3 in a clone whose Node lacks node:sqlite: npm is told to leave it unbuilt (`allowScripts`),
// because its own install script asks the network for a binary first. Never fails: it says in one line why
// there is no SQLite, and `npm ci` goes on.
import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

/** Makes sure that an SQLite driver loads, as far as this machine can. */
export function buildSqlite() {
  if (isBuiltin('node:sqlite')) return;
  const folder = folderOf('better-sqlite3');
  if (!folder) return say('better-sqlite3 is not installed');
  if (loads(folder)) return;
  const headers = join(dirname(realpathSync(process.execPath)), '..');
  if (!existsSync(join(headers, 'include', 'node', 'node.h')))
    return say(
      `${join(headers, 'include', 'node')} has no headers of this Node to build better-sqlite3 with`,
    );
  const gyp = folderOf('node-gyp');
  if (!gyp) return say('node-gyp is not installed, which builds better-sqlite3');
  console.error('spillway: building better-sqlite3 for the result cache, about a minute');
  try {
    const jobs = String(availableParallelism());
    const parts = [
      join(gyp, 'bin', 'node-gyp.js'),
      'rebuild',
      '--release',
      '--nodedir',
      headers,
      '--jobs',
      jobs,
    ];
    execFileSync(process.execPath, parts, { cwd: folder, stdio: 'pipe' });
  } catch (error) {
    return say(`better-sqlite3 could not be built (${reasonIn(String(error.stderr ?? error.message))})`);
  }
  if (!loads(folder)) say('better-sqlite3 was built but does not load');
}

/** Tried in a process of its own: a binary for another Node may crash the one that loads it. */
function loads(folder) {
  const program = `new (require(${JSON.stringify(folder)}))(':memory:').close()`;
  try {
    execFileSync(process.execPath, ['-e', program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function folderOf(packageName) {
  try {
    return dirname(require.resolve(`${packageName}/package.json`));
  } catch {
    return undefined;
  }
}

/** The line in which make or the compiler, else node-gyp, says what went wrong. */
function reasonIn(output) {
  const lines = output.split('\n').map((line) => line.trim());
  const byTools = lines.find(
    (line) => !line.startsWith('gyp') && /error:|not found|no such file/i.test(line),
  );
  const byGyp = lines.find((line) => line.startsWith('gyp ERR! stack Error: '));
  return byTools ?? byGyp?.slice('gyp ERR! stack Error: '.length) ?? lines.filter(Boolean).at(-1);
}

function say(why) {
  console.error(`spillway: no SQLite on this Node, so runs need --no-cache: ${why}`);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) buildSqlite();
