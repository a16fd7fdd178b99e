// Memory for a model's bytes: charged before it is taken, and given back at once rather than when it is collected.
import { native } from '../../native/load.js';
import { SpillwayError } from '../../util/errors.js';

/** The account that the sessions of the addon charge as well. */
const ACCOUNT = 'models';

/** Of ECMAScript 2024; Node 20 has it, the library types of ES2023 do not. */
interface ResizableBuffer extends ArrayBuffer {
  resize(bytes: number): void;
}
const ResizableBuffer = ArrayBuffer as unknown as new (
  bytes: number,
  options: { readonly maxByteLength: number },
) => ResizableBuffer;

/** Zeroed bytes of a fixed length until they are disposed of, by each who holds them, of length 0 afterwards. */
export class ChargedBytes implements Disposable {
  readonly bytes: Uint8Array;
  readonly #buffer: ResizableBuffer;
  readonly #owner: Disposable;
  #holders = 0;

  /** Throws `ERR_BUDGET_EXCEEDED` where `size` can never fit, `ERR_OUT_OF_MEMORY` where it does not fit now. */
  constructor(size: number, room: 'needed' | 'charged' = 'needed') {
    const { ledger } = native();
    const account = ledger.account(ACCOUNT, 0);
    if (room === 'needed') chargeNeeded(size);
    try {
      this.#buffer = new ResizableBuffer(size, { maxByteLength: size });
    } catch (cause) {
      ledger.credit(account, size);
      throw new SpillwayError('ERR_OUT_OF_MEMORY', `the system has no ${size} bytes for the model`, {
        cause,
      });
    }
    this.bytes = new Uint8Array(this.#buffer, 0, size);
    this.#owner = this.hold();
  }

  /** Undefined where there is no room for them unless something else gives way. */
  static ifRoom(size: number): ChargedBytes | undefined {
    const { ledger } = native();
    return ledger.charge(ledger.account(ACCOUNT, 0), size) ? new ChargedBytes(size, 'charged') : undefined;
  }

  /** One holder more, who is to dispose of what is returned; to be asked for while somebody holds them. */
  hold(): Disposable {
    this.#holders++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held && --this.#holders === 0) this.#free();
        held = false;
      },
    };
  }

  /** Gives the memory back, unless others hold it. Harmless when repeated. */
  [Symbol.dispose](): void {
    this.#owner[Symbol.dispose]();
  }

  #free(): void {
    const size = this.#buffer.byteLength;
    if (size === 0) return;
    this.#buffer.resize(0); // V8 unmaps the pages here; a buffer that is merely dropped keeps them until it is collected
    const { ledger } = native();
    ledger.credit(ledger.account(ACCOUNT, 0), size);
  }
}

/** Caches and idle graphs give way where the budget asks for it. */
function chargeNeeded(size: number): void {
  checkFits(size, 'the model');
  const { ledger, governor } = native();
  const account = ledger.account(ACCOUNT, 0);
  if (!ledger.charge(account, size) && !(governor.reclaim(size) > 0 && ledger.charge(account, size)))
    throw new SpillwayError(
      'ERR_OUT_OF_MEMORY',
      `reading the model wanted ${size} bytes more, the process holds ${ledger.held(0)} of at most ${ledger.limit(0)}`,
    );
}

/** Throws `ERR_BUDGET_EXCEEDED` where `bytes` are more than the budget could ever hold. */
export function checkFits(bytes: number, what: string): void {
  const { ledger } = native();
  const limit = Math.min(ledger.limit(0), ledger.limit(ledger.account(ACCOUNT, 0)));
  if (bytes > limit)
    throw new SpillwayError(
      'ERR_BUDGET_EXCEEDED',
      `expected ${what} within ${limit} bytes but it takes ${bytes}`,
    );
}
