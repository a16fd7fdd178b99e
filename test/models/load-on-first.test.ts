import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RejectedDevice } from '../../src/models/detect.js';
import { loadOnFirst } from '../../src/models/load-on-first.js';
import { SpillwayError } from '../../src/util/errors.js';

describe('loading on the first device that takes it', () => {
  it('goes on with the next and keeps the reason, unless no device could help', async () => {
    const rejected: RejectedDevice[] = [];
    const onCpu = (device: string) =>
      device === 'cpu' ? Promise.resolve(device) : Promise.reject(new Error(`no ${device}`));
    expect(await loadOnFirst(['cuda', 'webgpu', 'cpu'], rejected, onCpu)).toBe('cpu');
    expect(rejected).toEqual([
      { device: 'cuda', reason: 'no cuda' },
      { device: 'webgpu', reason: 'no webgpu' },
    ]);
    const tried: string[] = [];
    const tooLarge = (device: string) => {
      tried.push(device);
      return Promise.reject(new SpillwayError('ERR_BUDGET_EXCEEDED', 'too large'));
    };
    await expect(loadOnFirst(['cuda', 'cpu'], [], tooLarge)).rejects.toThrow('too large');
    expect(tried).toEqual(['cuda']);
  });

  it('loads one graph at a time on a device, and on two devices side by side', async () => {
    const busy = { cpu: 0, cuda: 0, webgpu: 0 };
    const most = { cpu: 0, cuda: 0, webgpu: 0, together: 0 };
    const load = async (device: 'cpu' | 'cuda' | 'webgpu') => {
      most[device] = Math.max(most[device], ++busy[device]);
      most.together = Math.max(most.together, busy.cpu + busy.cuda);
      await turn();
      busy[device]--;
    };
    const devices = ['cpu', 'cuda', 'cpu', 'cuda', 'cpu'] as const;
    await Promise.all(devices.map((device) => loadOnFirst([device], [], load)));
    expect(most).toEqual({ cpu: 1, cuda: 1, webgpu: 0, together: 2 });
  });
});
