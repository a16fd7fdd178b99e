// What the person before a run is told beside its results: signals of memory that are lost or come back, and heat.
import type { ThermalManager } from '../batch/thermal.js';
import { onGovernorEvent } from '../memory/governor-events.js';
import type { ProgressView } from './progress.js';

/** Returns the undo. */
export function noteEvents(view: ProgressView, thermal: ThermalManager | undefined): () => void {
  const forget = onGovernorEvent(({ kind, reason }) => kind === 'signal' && view.note(reason));
  const onHeat = ({ reason }: { readonly reason: string }) => view.note(reason);
  thermal?.on('change', onHeat);
  if (thermal?.reason !== undefined) view.note(thermal.reason);
  return () => {
    forget();
    thermal?.off('change', onHeat);
  };
}
