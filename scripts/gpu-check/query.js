// gpu.query: our figures against those of nvidia-smi, which asks the same library, per device and process.
import { spawnSync } from 'node:child_process';
import { makeLine } from '../../bench/harness/line.mjs';
import { ABOUT, library, SkippedError } from './machine.js';

const MIB = 2 ** 20;

// nvidia-smi's name, ours, and how far apart two readings some milliseconds from each other may lie.
const FIELDS = [
  ['memory.total', ({ memory }) => memory.totalBytes / MIB, 1],
  ['memory.reserved', ({ memory }) => memory.reservedBytes / MIB, 1],
  ['memory.used', ({ memory }) => memory.usedBytes / MIB, 1],
  ['temperature.gpu', ({ celsius }) => celsius, 2],
  ['power.draw', ({ watts }) => watts, 30],
  ['enforced.power.limit', ({ wattsLimit }) => wattsLimit, 1],
  ['clocks.sm', ({ smMHz }) => smMHz, 100],
  ['clocks.mem', ({ memoryMHz }) => memoryMHz, 100],
];

export async function checkQuery() {
  const { gpu } = await library('gpu/gpu.js');
  const memory = await gpu.pool(0).allocate('64MiB'); // so that this process is among those of the device
  try {
    const theirs = smi(['--query-gpu', `uuid,${FIELDS.map(([name]) => name).join()}`]);
    const { devices } = gpu.query();
    const processes = smi(['--query-compute-apps', 'gpu_uuid,pid,used_gpu_memory']);
    const wrong = [...deviceDifferences(theirs, devices), ...processDifferences(processes, devices)];
    if (wrong.length > 0) console.error(`gpu.query: ${wrong.join('; ')}`);
    const measure = {
      metric: 'differences',
      better: 'lower',
      target: { limit: { name: 'nvidia-smi', value: 0 } },
    };
    const data = `${devices.length} devices, ${FIELDS.length} figures each, ${processes.length} processes`;
    return [makeLine('gpu.query', measure, { ours: [wrong.length] }, { ...ABOUT, data })];
  } finally {
    memory.release();
  }
}

function deviceDifferences(rows, devices) {
  if (rows.length !== devices.length) return [`${devices.length} devices, nvidia-smi has ${rows.length}`];
  return rows.flatMap(([uuid, ...values]) => {
    const device = devices.find((candidate) => candidate.uuid === uuid);
    if (!device) return [`no device ${uuid}`];
    return FIELDS.flatMap(([name, ours, apart], i) =>
      Number.isNaN(Number(values[i])) || Math.abs(ours(device) - Number(values[i])) <= apart
        ? []
        : [`${name} is ${values[i]}, not ${ours(device)}`],
    );
  });
}

function processDifferences(rows, devices) {
  const ours = devices.flatMap(({ uuid, processes = [] }) => processes.map((one) => ({ uuid, ...one })));
  const wrong =
    rows.length === ours.length ? [] : [`${ours.length} processes, nvidia-smi has ${rows.length}`];
  for (const [uuid, pid, used] of rows) {
    const match = ours.find((one) => one.uuid === uuid && one.pid === Number(pid));
    if (!match) wrong.push(`no process ${pid}`);
    else if (Math.abs(match.usedBytes / MIB - Number(used)) > 1)
      wrong.push(`process ${pid} uses ${used} MiB`);
  }
  return wrong;
}

function smi(query) {
  const args = [query.join('='), '--format=csv,noheader,nounits'];
  const { error, status, stdout, stderr } = spawnSync('nvidia-smi', args, { encoding: 'utf8' });
  if (error) throw new SkippedError(`nvidia-smi is not installed: ${error.message}`);
  if (status !== 0) throw new Error(`nvidia-smi failed: ${stderr || stdout}`);
  const lines = stdout.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => line.split(',').map((cell) => cell.trim()));
}
