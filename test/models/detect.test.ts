import { describe, expect, it } from 'vitest';
import { detectDevice } from '../../src/models/detect.js';
import { ModelCache } from '../../src/models/model-cache.js';
import { providers } from '../../src/models/providers/index.js';
import { twoOutputsGraph } from '../support/graphs.js';

const missing = providers.find(({ unavailable }) => unavailable() !== undefined);

const present = providers.filter(
  ({ device, unavailable }) => device !== 'cpu' && unavailable() === undefined,
);

describe('device detection', () => {
  it('always finds the processor', () => {
    expect(detectDevice('cpu')).toEqual({ device: 'cpu', rejected: [] });
  });

  it('looks at cuda, webgpu and cpu in this order and says why one is passed over', () => {
    const { device, rejected } = detectDevice();
    const order = ['cuda', 'webgpu', 'cpu'];
    expect(rejected.map((entry) => entry.device)).toEqual(order.slice(0, order.indexOf(device)));
    for (const { reason } of rejected) expect(reason).not.toBe('');
  });

  it('refuses a name it does not know', () => {
    expect(() => detectDevice('abacus' as 'cpu')).toThrow(/'auto', 'cuda', 'webgpu' or 'cpu'.*"abacus"/);
  });

  it.skipIf(!missing)('refuses a device that is asked for by name and not there', async () => {
    const device = missing?.device ?? 'cpu';
    const failure = { code: 'ERR_DEVICE_UNAVAILABLE', message: expect.stringContaining(device) };
    expect(() => detectDevice(device)).toThrow(expect.objectContaining(failure));
    await using cache = new ModelCache({ device });
    await expect(cache.acquire(twoOutputsGraph())).rejects.toMatchObject(failure);
  });

  // Skipped where there is no driver of any.
  it.runIf(present.length > 0)('computes on each device like on the processor, or says why not', async () => {
    const tensor = { type: 'float32' as const, dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) };
    for (const { device } of present) {
      await using cache = new ModelCache({ device });
      const result = await cache.acquire(twoOutputsGraph()).then(
        async (model) => (await model.run({ a: tensor, b: tensor })).product?.data,
        ({ code, message }) => ({ code, message }),
      );
      const refusal = `${device} does not compute: `;
      if (result && 'code' in result)
        expect(result).toEqual({
          code: 'ERR_DEVICE_UNAVAILABLE',
          message: expect.stringContaining(refusal),
        });
      else expect(result).toEqual(Float32Array.of(1, 4, 9, 16));
    }
  });

  it('reports the devices a load passed over', async () => {
    await using cache = new ModelCache();
    using model = await cache.acquire(twoOutputsGraph());
    expect([...model.rejected.map(({ device }) => device), model.device]).toEqual(
      ['cuda', 'webgpu', 'cpu'].slice(0, model.rejected.length + 1),
    );
  });
});
