// The runs that wait for a child process. It does what it is given one after another, in the order of coming, so what is
// more urgent has to be put first on this side.
import { dueAt } from '../../util/due.js';
import { SpillwayError } from '../../util/errors.js';

/** Runs given to the child: the one that it does, and the next, whose feeds are on their way meanwhile. */
const GIVEN = 2;

interface Waiting {
  readonly due: number;
  begin(): void;
}

export class RunLine {
  /** In order. */
  readonly #waiting: Waiting[] = [];
  #given = 0;

  /**
   * Begins `work` when its turn comes: the one of most priority first, a second of waiting counting for one step. What
   * has not begun can leave, and rejects with `ERR_ABORTED`.
   */
  run<T>(priority: number, work: () => Promise<T>): { readonly done: Promise<T>; leave(): void } {
    let leave = () => {};
    const begun = new Promise<void>((resolve, reject) => {
      const waiting = { due: dueAt(performance.now(), priority), begin: resolve };
      const later = this.#waiting.findIndex(({ due }) => due > waiting.due);
      this.#waiting.splice(later < 0 ? this.#waiting.length : later, 0, waiting);
      leave = () => {
        const place = this.#waiting.indexOf(waiting);
        if (place < 0) return;
        this.#waiting.splice(place, 1);
        reject(new SpillwayError('ERR_ABORTED', 'the run was cancelled'));
      };
    });
    this.#serve();
    const done = begun.then(async () => {
      try {
        return await work();
      } finally {
        this.#given--;
        this.#serve();
      }
    });
    return { done, leave };
  }

  #serve(): void {
    while (this.#given < GIVEN) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#given++;
      next.begin();
    }
  }
}
