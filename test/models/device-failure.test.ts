import { describe, expect, it } from 'vitest';
import { deviceFailure } from '../../src/models/device-failure.js';
import { SpillwayError } from '../../src/util/errors.js';

const engine = (message: string) => new SpillwayError('ERR_ENGINE', message);
const tail = '; GPU=0 ; hostname=h ; file=f.cc ; line=63 ; expr=cudaMemcpyAsync(a, b, n);';

describe('what a failed run says of its device', () => {
  it.each([
    ['ERR_DEVICE_LOST', `CUDA failure 700: an illegal memory access was encountered ${tail}`],
    ['ERR_DEVICE_LOST', `CUDA failure 719: unspecified launch failure ${tail}`],
    ['ERR_DEVICE_LOST', `CUDA failure 999: unknown error ${tail}`],
    [
      'ERR_DEVICE_LOST',
      'Failed to create a WebGPU compute pipeline: A valid external Instance reference no longer exists.',
    ],
    [
      'ERR_DEVICE_LOST',
      'Failed to download data from buffer. wgpu::MapAsyncStatus value: 4, message: [Device] is lost.',
    ],
    ['ERR_DEVICE_LOST', '[ONNXRuntimeError] : 1 : FAIL : Failed to wait for the operation:2'],
    [
      'ERR_OUT_OF_MEMORY',
      'WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.',
    ],
    ['ERR_ENGINE', '[Invalid ComputePipeline "Gemm"] is invalid due to a previous error.'],
    ['ERR_OUT_OF_MEMORY', `CUDA failure 2: out of memory ${tail}`],
    [
      'ERR_OUT_OF_MEMORY',
      'CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; expr=cublasCreate(&handle);',
    ],
    [
      'ERR_OUT_OF_MEMORY',
      'BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 64',
    ],
    ['ERR_ENGINE', `CUDA failure 1: invalid argument ${tail}`],
    ['ERR_ENGINE', `CUDA failure 7000: no such error ${tail}`],
    ['ERR_ENGINE', 'Non-zero status code returned while running Add node'],
  ])('%s: %s', (code, message) => {
    const error = engine(message);
    const told = deviceFailure(error, 'cuda');
    expect(told).toMatchObject({ code, message });
    expect(deviceFailure(error, 'cpu')).toBe(error);
  });

  it('is the same of a load', () => {
    const error = new SpillwayError('ERR_DEVICE_UNAVAILABLE', `CUDA failure 2: out of memory ${tail}`);
    expect(deviceFailure(error, 'cuda')).toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
    const other = new SpillwayError('ERR_DEVICE_UNAVAILABLE', 'no kernel for MyOperator');
    expect(deviceFailure(other, 'cuda')).toBe(other);
  });

  it('leaves what is no failure of the engine as it is', () => {
    const error = new SpillwayError('ERR_ABORTED', 'CUDA failure 700: an illegal memory access');
    expect(deviceFailure(error, 'cuda')).toBe(error);
  });
});
