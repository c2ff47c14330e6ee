import type { Fault, Observer } from "../ports/observer.ts";

/** Lists every method once; the type holds it complete. */
const methods: Readonly<Record<keyof Observer, true>> = {
  turnStarted: true,
  turnEnded: true,
  laneFailed: true,
  callStarted: true,
  callEnded: true,
  breakerChanged: true,
  committed: true,
  connectionOpened: true,
  connectionClosed: true,
  refused: true,
  recovered: true,
  storageChanged: true,
  messengerChanged: true,
  warned: true,
  faulted: true,
};

type Method = (...happening: readonly unknown[]) => unknown;

/**
 * Makes one observer of several. It has only the methods that one of them has, looked up now. An observer that throws or rejects harms
 * neither the server nor the others, and its first fault is reported to the others.
 */
export function combineObservers(observers: readonly Observer[]): Observer {
  const faulty = new Set<Observer>();

  function report(observer: Observer, error: unknown): void {
    if (faulty.has(observer)) return;
    faulty.add(observer);
    const fault: Fault = { where: "observer", error };
    for (const other of observers)
      if (other !== observer) tell(other, other.faulted as Method | undefined, [fault]);
  }

  function tell(observer: Observer, method: Method | undefined, happening: readonly unknown[]): void {
    try {
      const told = method?.apply(observer, [...happening]);
      if (told instanceof Promise) told.catch((error: unknown) => report(observer, error));
    } catch (error) {
      report(observer, error);
    }
  }

  const combined: Partial<Record<keyof Observer, Method>> = {};
  for (const name of Object.keys(methods) as (keyof Observer)[]) {
    const listeners = observers.flatMap((observer) => {
      const method = observer[name] as Method | undefined;
      return method === undefined ? [] : [{ observer, method }];
    });
    if (listeners.length === 0) continue;
    combined[name] = (...happening) => {
      for (const { observer, method } of listeners) tell(observer, method, happening);
    };
  }
  return combined as Observer;
}
