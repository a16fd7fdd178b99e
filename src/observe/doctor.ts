// Judges what a machine offers: what the main job can do without, what it cannot, and how each is mended.
import { formatSize } from '../util/sizes.js';
import type { Answer, MachineFacts } from './machine-facts.js';

/** `missing`: the main job cannot run; `warning`: it runs, but slower, without its cache, or close to a limit. */
export type FindingStatus = 'ok' | 'warning' | 'missing';

export interface Finding {
  readonly name: string;
  readonly status: FindingStatus;
  readonly detail: string;
  /** What to do about it: a command where there is one. */
  readonly remedy?: string;
}

/** The oldest Node this package is tested on (`engines` in package.json). */
const LEAST_NODE = [20, 19] as const;
/** What Node, sharp and ONNX Runtime with the smallest photo take, and as much again for larger ones. */
const LITTLE_MEMORY = 256e6;
/** A result is about 1 kB: this is room for some 100,000 files. */
const LITTLE_DISK = 100e6;

/** One finding per question, in the order in which a person would ask. */
export function diagnose(facts: MachineFacts): Finding[] {
  return [
    node(facts),
    platform(facts),
    addon(facts),
    capabilities(facts),
    judged('cores', facts.cores, ({ usable, machine }) => ({
      status: 'ok',
      detail: usable < machine ? `${usable} of ${machine} (affinity or CPU quota)` : String(usable),
    })),
    memory(facts),
    sqlite(facts),
    judged('sharp', facts.sharp, ({ version, libvips }) => ({
      status: 'ok',
      detail: `${version} (libvips ${libvips})`,
    })),
    judged('onnxruntime-node', facts.onnxruntime, ({ version }) => ({ status: 'ok', detail: version })),
    engine(facts),
    devices(facts),
    cacheFolder(facts),
  ];
}

type Verdict = Omit<Finding, 'name'>;

/** The packages that are no dependencies of ours, and how each is installed. */
const INSTALL: Readonly<Record<string, string>> = {
  sharp: 'npm install sharp',
  'onnxruntime-node': 'npm install onnxruntime-node',
};

function judged<T>(name: string, answer: Answer<T>, judge: (value: T) => Verdict): Finding {
  if (answer.ok) return { name, ...judge(answer.value) };
  const remedy = INSTALL[name];
  return { name, status: 'missing', detail: answer.message, ...(remedy && { remedy }) };
}

function node({ node: version }: MachineFacts): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  if (enough) return { name: 'node', status: 'ok', detail: version };
  const remedy = `install Node ${LEAST_NODE.join('.')} or newer`;
  return { name: 'node', status: 'missing', detail: `${version} is too old`, remedy };
}

function platform({ platform: { os, arch, glibc } }: MachineFacts): Finding {
  const detail = `${os}-${arch}${glibc ? `, glibc ${glibc}` : ''}`;
  if (os === 'linux' && glibc) return { name: 'platform', status: 'ok', detail };
  const why = os === 'linux' ? 'without glibc' : 'other than Linux';
  return {
    name: 'platform',
    status: 'warning',
    detail: `${detail}: nothing ${why} is tested`,
    remedy: 'Linux with glibc is where the addon is built and tested',
  };
}

function addon({ native }: MachineFacts): Finding {
  const name = 'native addon';
  if (!native.ok) return { name, status: 'missing', detail: native.message, remedy: 'unset SPILLWAY_NATIVE' };
  const { loaded, reason } = native.value;
  if (loaded) return { name, status: 'ok', detail: reason };
  return {
    name,
    status: 'warning',
    detail: `the JavaScript path serves: ${reason}`,
    remedy: reason.startsWith('SPILLWAY_NATIVE')
      ? 'unset SPILLWAY_NATIVE'
      : 'in a clone, `npm run build` builds it (Linux, cmake, make, a C++20 compiler)',
  };
}

function capabilities({ native }: MachineFacts): Finding {
  const list = native.ok ? native.value.capabilities : [];
  if (list.length > 0) return { name: 'capabilities', status: 'ok', detail: list.join(', ') };
  return { name: 'capabilities', status: 'warning', detail: 'none beyond what JavaScript can do' };
}

function memory({ memory: answer }: MachineFacts): Finding {
  return judged('memory', answer, ({ limit, source, workingSet }) => {
    const left = Math.max(0, limit - workingSet);
    const detail = `${formatSize(limit)} (${source}), ${formatSize(left)} of it free`;
    if (left >= LITTLE_MEMORY) return { status: 'ok', detail };
    return {
      status: 'warning',
      detail,
      remedy: `free or grant memory: photos want ${formatSize(LITTLE_MEMORY)}`,
    };
  });
}

function sqlite({ sqlite: answer }: MachineFacts): Finding {
  if (answer.ok) {
    const { name: driver, version } = answer.value;
    return {
      name: 'sqlite',
      status: 'ok',
      detail: driver === 'node:sqlite' ? driver : `${driver} ${version}`,
    };
  }
  return {
    name: 'sqlite',
    status: 'warning',
    detail: `results are not kept: ${answer.message}`,
    remedy: 'npm install better-sqlite3@12, or Node 22.13 or newer',
  };
}

function engine({ engine: answer, native, onnxruntime }: MachineFacts): Finding {
  if (!answer.ok && !onnxruntime.ok)
    return { name: 'engine', status: 'missing', detail: 'none without onnxruntime-node' };
  return judged('engine', answer, ({ name, version, reason }) => {
    const detail = `${name}, ONNX Runtime ${version}: ${reason}`;
    if (name === 'native') return { status: 'ok', detail };
    const remedy =
      native.ok && native.value.loaded
        ? INSTALL['onnxruntime-node']
        : 'the addon would run graphs in-process';
    return { status: 'warning', detail, ...(remedy && { remedy }) };
  });
}

function devices({ devices: answer }: MachineFacts): Finding {
  return judged('devices', answer, ({ candidates, rejected, gpus }) => {
    const passed = rejected.map(({ device, reason }) => `not ${device}: ${reason}`);
    const detail = [candidates.join(', '), ...passed].join('; ');
    const idle = gpus.length > 0 && rejected.some(({ device }) => device === 'cuda');
    if (!idle) return { status: 'ok', detail };
    return {
      status: 'warning',
      detail: `${detail} (${gpus.join(', ')} stays idle)`,
      remedy: 'let the install script of onnxruntime-node run, which downloads its CUDA provider',
    };
  });
}

function cacheFolder({ cacheFolder: answer }: MachineFacts): Finding {
  const name = 'cache folder';
  if (!answer.ok)
    return {
      name,
      status: 'missing',
      detail: answer.message,
      remedy: 'name another folder with --cache, or run with --no-cache',
    };
  const { path, exists, freeBytes } = answer.value;
  const detail = `${path}${exists ? '' : ' (will be made)'}, ${formatSize(freeBytes)} free`;
  if (freeBytes >= LITTLE_DISK) return { name, status: 'ok', detail };
  return { name, status: 'warning', detail, remedy: 'make room, or name another folder with --cache' };
}
