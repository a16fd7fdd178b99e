// Compiled against the packed types, strictly and by both ways of resolving modules.
import {
  MemoryManager,
  type Result,
  type ScanFile,
  Spillway,
  SpillwayError,
  scan,
  workloads,
} from 'spillway';

export async function list(folder: string): Promise<ScanFile[]> {
  const files: ScanFile[] = [];
  for await (const batch of scan(folder, { stat: true, include: '*.jpg' })) files.push(...batch);
  return files;
}

export async function run(folder: string, signal: AbortSignal): Promise<Result[]> {
  const spillway = await Spillway.open({ budget: '1GB', cacheDir: '.spillway' });
  const results: Result[] = [];
  for await (const result of spillway.run(scan(folder), workloads.photos({ maxBatch: 4 }), { signal }))
    results.push(result);
  await spillway.close();
  return results;
}

export const code = (error: unknown): string | undefined =>
  error instanceof SpillwayError ? error.code : undefined;
export const budget: number = new MemoryManager({ budget: '1GB' }).budget;
// @ts-expect-error a budget is a size
new MemoryManager({ budget: true });
