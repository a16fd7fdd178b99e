// Any GPU with a Vulkan driver. Tried only where loader and driver exist: Dawn prints to standard error without.
import type { Provider } from './provider.js';
import { filesIn, findSharedLibrary } from './shared-library.js';

const MANIFEST_FOLDERS = [
  '/etc/vulkan/icd.d',
  '/usr/share/vulkan/icd.d',
  '/usr/local/share/vulkan/icd.d',
  '/usr/local/etc/vulkan/icd.d',
];

export const webgpu: Provider = {
  device: 'webgpu',
  // ONNX Runtime has one device for all sessions of a process, and goes on giving out its buffers: also those for which
  // there was no memory, which are invalid. Both end with the last session.
  recovers: true,
  unavailable() {
    if (!findSharedLibrary('libvulkan.so.1')) return 'libvulkan.so.1, the Vulkan loader, is not installed';
    if (process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES) return undefined;
    if (filesIn(MANIFEST_FOLDERS, '.json').length > 0) return undefined;
    return `no Vulkan driver is installed (no manifest in ${MANIFEST_FOLDERS.join(', ')})`;
  },
};
