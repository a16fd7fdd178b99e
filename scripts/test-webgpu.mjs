// npm run test:webgpu: inference on WebGPU, over a Vulkan driver that needs no GPU.
//   node scripts/test-webgpu.mjs [vitest arguments]
// The driver is SwiftShader, with its loader, of Debian's package chromium-common, which apt-get downloads into
// build/vulkan and does not install. SPILLWAY_VULKAN names another folder that holds both. Calls go by a library of the
// tests, which lets some of them fail: test/native/failing-vulkan.cc.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = 'chromium-common';
const LOADER = 'libvulkan.so.1';
/** Its own user may not write here. */
const AS_ROOT = ['-o', 'APT::Sandbox::User=root'];
const FILES = ['libvk_swiftshader.so', 'vk_swiftshader_icd.json', LOADER];

const root = fileURLToPath(new URL('..', import.meta.url));
const driver = path.resolve(process.env.SPILLWAY_VULKAN || path.join(root, 'build', 'vulkan'));
if (!existsSync(driver)) download(driver);
const manifest = path.join(driver, readdirSync(driver).find((name) => name.endsWith('.json')) ?? '');
const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', 'vitest.webgpu.config.ts', ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      LD_LIBRARY_PATH: [between(), driver, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':'),
      VK_DRIVER_FILES: manifest,
      VK_ICD_FILENAMES: manifest, // what loaders before 1.3.207 read
    },
  },
);
process.exitCode = status ?? 1;

/** All or nothing: a folder that is there is complete. */
function download(folder) {
  const partial = `${folder}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  try {
    unpack(partial);
  } catch (cause) {
    rmSync(partial, { recursive: true });
    const way = `SPILLWAY_VULKAN names a folder with ${LOADER}, a driver and its manifest`;
    throw new Error(`expected apt-get to download ${PACKAGE} but ${cause.message}; ${way}`, { cause });
  }
  renameSync(partial, folder);
}

function unpack(partial) {
  const inPartial = { cwd: partial, stdio: ['ignore', 'ignore', 'inherit'] };
  execFileSync('apt-get', ['-qq', ...AS_ROOT, 'update'], inPartial);
  execFileSync('apt-get', ['-qq', ...AS_ROOT, 'download', PACKAGE], inPartial);
  const archive = readdirSync(partial).find((name) => name.endsWith('.deb'));
  execFileSync('dpkg-deb', ['-x', archive, '.'], inPartial);
  for (const file of FILES)
    renameSync(path.join(partial, 'usr', 'lib', 'chromium', file), path.join(partial, file));
  rmSync(path.join(partial, 'usr'), { recursive: true });
  rmSync(path.join(partial, archive));
}

/** The folder of the library between ONNX Runtime and the loader. */
function between() {
  const folder = path.join(root, 'build', 'failing-vulkan');
  mkdirSync(folder, { recursive: true });
  const built = path.join(folder, `${LOADER}.${process.pid}`);
  const source = path.join(root, 'test', 'native', 'failing-vulkan.cc');
  const real = `-DREAL_LOADER=${JSON.stringify(path.join(driver, LOADER))}`;
  const flags = ['-std=c++20', '-shared', '-fPIC', real];
  execFileSync('c++', [...flags, '-o', built, source], { stdio: 'inherit' });
  renameSync(built, path.join(folder, LOADER));
  return folder;
}
