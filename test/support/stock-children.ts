import { readdir, readFile } from 'node:fs/promises';

/** The stock children of a process, found as the system sees them. */
export async function childrenOf(pid: number): Promise<number[]> {
  const found: number[] = [];
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const [stat, command] = await Promise.all(
      ['stat', 'cmdline'].map((file) => readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '')),
    );
    const parent = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    if (parent === pid && command?.includes('stock-child')) found.push(Number(name));
  }
  return found;
}
