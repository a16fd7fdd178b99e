// Whether the dynamic loader would find a library, without loading it.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

const ARCH = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const FOLDERS = [
  ...[
    '/usr/local/lib',
    `/lib/${ARCH}-linux-gnu`,
    `/usr/lib/${ARCH}-linux-gnu`,
    '/lib64',
    '/usr/lib64',
    '/lib',
  ],
  ...['/usr/lib', '/usr/lib/wsl/lib', '/usr/local/nvidia/lib64', '/usr/local/cuda/compat'],
];

/** The path of `name` in `LD_LIBRARY_PATH` or a standard folder, or undefined. */
export function findSharedLibrary(name: string): string | undefined {
  const folders = [...(process.env.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean), ...FOLDERS];
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
}

/** The files with `extension` in any of `folders`; folders that cannot be read have none. */
export function filesIn(folders: readonly string[], extension: string): string[] {
  return folders.flatMap((folder) => {
    try {
      return readdirSync(folder)
        .filter((name) => name.endsWith(extension))
        .map((name) => path.join(folder, name));
    } catch {
      return [];
    }
  });
}
