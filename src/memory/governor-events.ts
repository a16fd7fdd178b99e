// What the governor of this thread tells, for everyone who asks: it takes one listener, and samples while it has one.
import type { PressureEvent } from '../contract/index.js';
import { native } from '../native/load.js';

type Listener = (event: PressureEvent) => void;

const listeners = new Set<Listener>();

/** Calls `listener` with every event, after the fact; returns the undo. Does not keep the process alive. */
export function onGovernorEvent(listener: Listener): () => void {
  if (listeners.size === 0) native().governor.start(tellAll);
  listeners.add(listener);
  return () => {
    if (listeners.delete(listener) && listeners.size === 0) native().governor.stop();
  };
}

function tellAll(event: PressureEvent): void {
  for (const listener of [...listeners]) listener(event);
}
