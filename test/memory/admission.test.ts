import { describe, expect, it } from 'vitest';
import { Admission } from '../../src/memory/admission.js';
import { native } from '../../src/native/load.js';
import { SpillwayError } from '../../src/util/errors.js';

const MB = 1e6;

/** A budget of 10 MB in which the room is what `rooms` says, one after another, and then the last. */
function admissionWith(rooms: readonly number[]) {
  const account = native().ledger.account(`admission-test-${serial++}`, 0);
  native().ledger.setLimit(account, 10 * MB);
  let asked = 0;
  const admission = new Admission({
    account: () => account,
    limit: () => 10 * MB,
    capacity: () => 100 * MB,
    room: () => rooms[Math.min(asked++, rooms.length - 1)] as number,
    exceeded: (_, bytes, room) => new SpillwayError('ERR_BUDGET_EXCEEDED', `${bytes} of ${room}`),
  });
  return { admission, asked: () => asked };
}
let serial = 0;

describe('admission to an idle job', () => {
  it('refuses once memory was given back in vain several times', async () => {
    const { admission, asked } = admissionWith([5 * MB]);
    await expect(admission.reserve('decode', 20 * MB, {})).rejects.toThrow(`of ${5 * MB}`);
    expect(asked()).toBe(6);
  });

  it('goes on for as long as that makes room', async () => {
    const growing = Array.from({ length: 12 }, (_, i) => i * MB);
    const { admission, asked } = admissionWith(growing);
    await expect(admission.reserve('decode', 20 * MB, {})).rejects.toThrow(`of ${11 * MB}`);
    expect(asked()).toBe(12 + 4 + 1);
  });
});
