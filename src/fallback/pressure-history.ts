// The last minutes of readings, as native/memory/pressure_history keeps them.
import type { PressureFigures, PressureHistory } from '../contract/index.js';

const ROWS = 4096;
const EVERY_MS = 100;

const FIGURES: readonly (keyof PressureFigures)[] = [
  'at',
  'residentBytes',
  'childrenBytes',
  'limitBytes',
  'workingSetBytes',
  'budgetBytes',
  'headroomBytes',
  'usedShare',
  'level',
  'unmanagedBytes',
  'stalledUs',
];

/** Keeps the fullest reading of each 100 ms, at most {@link ROWS}. */
export class History {
  readonly #rows: PressureFigures[] = [];
  /** When the newest row was begun. */
  #openedAt = 0;

  add(figures: PressureFigures): void {
    const newest = this.#rows.at(-1);
    const since = figures.at - this.#openedAt;
    if (newest && since >= 0 && since < EVERY_MS) {
      if (figures.usedShare >= newest.usedShare) this.#rows[this.#rows.length - 1] = figures;
      return;
    }
    this.#openedAt = figures.at;
    if (this.#rows.length === ROWS) this.#rows.shift();
    this.#rows.push(figures);
  }

  read(): PressureHistory {
    return Object.fromEntries(
      FIGURES.map((figure) => [figure, Float64Array.from(this.#rows, (row) => row[figure])]),
    ) as PressureHistory;
  }
}
