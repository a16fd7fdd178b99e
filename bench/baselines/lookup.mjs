// The least a second pass can do: walk with figures, and look every file up in SQLite, one after the other.
// node lookup.mjs <root> <database> [digest]. Prints the number of files found, and with `digest` what was found.
import Database from 'better-sqlite3';
import { scan } from '../../dist/index.js';

const [root, file, mode] = process.argv.slice(2);
const db = new Database(file, { readonly: true });
const find = db.prepare('SELECT value FROM results WHERE key = ?').pluck();
let files = 0;
let bytes = 0;
const lines = [];
for await (const batch of scan(root, { stat: true }))
  for (const { path, dev, ino, size, mtimeNs, ctimeNs } of batch) {
    const value = find.get(`${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`);
    if (value === undefined) continue;
    files++;
    bytes += value.length;
    if (mode === 'digest') lines.push([path, value]);
  }
process.stdout.write(JSON.stringify(mode === 'digest' ? lines : { files, bytes }));
