// A full garbage collection on request: the buffers of dead objects hold native memory until one happens.
import v8 from 'node:v8';
import vm from 'node:vm';

let collect: (() => void) | undefined;

/** Runs a full collection now, on the JavaScript thread (some milliseconds for a small heap). */
export function collectGarbage(): void {
  if (!collect) {
    // The flag adds `gc` to contexts made from here on, so the program's own globals stay as they are.
    v8.setFlagsFromString('--expose-gc');
    collect = vm.runInNewContext('gc') as () => void;
  }
  collect();
}
