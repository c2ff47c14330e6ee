import type { Observer } from "../../../src/ports/observer.ts";

/** Notes the faults of a store that no caller hears of, and its outages: the cause of each, and then its end. */
export function createNotes() {
  const faults: unknown[] = [];
  const states: unknown[] = [];
  const observer: Observer = {
    storageChanged: (change) => states.push(change.state === "failing" ? change.error : change.state),
    faulted: ({ error }) => faults.push(error),
  };
  return { faults, states, observer };
}
