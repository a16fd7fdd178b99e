// Gives back what the process holds without need, for a reservation that does not fit or a level that is high.
import { native } from '../native/load.js';
import { collectGarbage } from './garbage.js';

/** Their code and constants are read again from the page cache where they are needed. */
const LIBRARIES = ['libvips', 'libonnxruntime.so'];

export class Relief {
  #running = false;
  #startedAt = Number.NEGATIVE_INFINITY;

  /** Milliseconds since the last one began. */
  get age(): number {
    return performance.now() - this.#startedAt;
  }

  /**
   * Collects garbage, whose buffers hold memory, on this thread; then returns free pages of the heap and pages of
   * libraries. Calls `done` afterwards; does nothing while one is under way.
   */
  begin(done: () => void): void {
    if (this.#running) return;
    this.#running = true;
    this.#startedAt = performance.now();
    collectGarbage();
    void (native().trim?.() ?? Promise.resolve()).then(() => {
      for (const library of LIBRARIES) native().dropLibraryPages?.(library);
      this.#running = false;
      done();
    });
  }
}
