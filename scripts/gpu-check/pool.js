// gpu.pool: allocations and releases at random, whose accounts must be exact; then a trim must give everything back.
import { makeLine } from '../../bench/harness/line.mjs';
import { ABOUT, library } from './machine.js';

const TURNS = 4000;
const ALIVE = 48;

export async function checkPool() {
  const { gpu } = await library('gpu/gpu.js');
  const pool = gpu.pool(0);
  const used = () => gpu.query().devices.find(({ cudaId }) => cudaId === 0).memory.usedBytes;
  const after = [];
  // What the driver takes for this process itself is there from the first allocation on.
  (await pool.allocate(1)).release();
  await gpu.trim();
  const baseline = used();
  for (let run = 0; run < 3; run++) {
    await churn(pool, run);
    await gpu.trim();
    after.push(used());
  }
  const target = { limit: { name: 'baseline', value: baseline }, atMost: 1.05 };
  const measure = { metric: 'bytes', better: 'lower', target };
  const data = `${TURNS} allocations of up to 32 MiB, ${ALIVE} alive`;
  return [makeLine('gpu.pool', measure, { ours: after }, { ...ABOUT, data })];
}

async function churn(pool, seed) {
  const alive = [];
  let state = seed + 1;
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let turn = 0; turn < TURNS; turn++) {
    alive.push(await pool.allocate(1 + random(32 * 2 ** 20)));
    if (alive.length > ALIVE) alive.splice(random(ALIVE), 1)[0].release();
  }
  expectExact(pool, alive);
  for (const memory of alive) memory.release();
  expectExact(pool, []);
}

function expectExact(pool, alive) {
  const bytes = alive.reduce((sum, memory) => sum + memory.bytes, 0);
  const { usedBytes, allocations, reservedBytes, accounts } = pool.stats();
  if (usedBytes !== bytes || allocations !== alive.length || accounts.buffers.bytes !== bytes)
    throw new Error(
      `expected ${alive.length} blocks of ${bytes} bytes but the pool has ${allocations} of ${usedBytes}`,
    );
  if (reservedBytes < bytes) throw new Error(`the pool holds ${reservedBytes} bytes for ${bytes}`);
}
