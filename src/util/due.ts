// The order of what waits: by priority and age. The addon orders its runs by the same rule (native/infer/run_queue.cc).

/** A second of waiting counts for as much as one step of priority. */
const AGE_MS = 1000;

/**
 * The virtual time at which something is due that came `now`, in milliseconds. Priority and age weigh against each
 * other, and since all grow older at one rate, the order of two never changes: it need not be computed again while they
 * wait. Whatever its priority, one is only ever passed by those that came within `AGE_MS` for each step that they are
 * above it.
 */
export function dueAt(now: number, priority: number): number {
  return now - priority * AGE_MS;
}
