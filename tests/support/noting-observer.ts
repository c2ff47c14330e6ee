import type { Observer } from "../../src/ports/observer.ts";

/** Every call of an observer: the method's name and its arguments. */
export type Happening = {
  readonly [Name in keyof Observer]-?: readonly [Name, ...Parameters<NonNullable<Observer[Name]>>];
}[keyof Observer];

export interface NotingObserver {
  readonly observer: Required<Observer>;
  /** In the order in which they were told. */
  readonly happenings: readonly Happening[];
  /** The arguments of every call of one method. */
  of<Name extends keyof Observer>(name: Name): Parameters<NonNullable<Observer[Name]>>[];
  names(): (keyof Observer)[];
}

/** An observer that listens to everything and notes it. */
export function createNotingObserver(): NotingObserver {
  const happenings: Happening[] = [];
  const note =
    <Name extends keyof Observer>(name: Name) =>
    (...told: unknown[]) =>
      void happenings.push([name, ...told] as unknown as Happening);
  return {
    happenings,
    observer: {
      turnStarted: note("turnStarted"),
      turnEnded: note("turnEnded"),
      laneFailed: note("laneFailed"),
      callStarted: note("callStarted"),
      callEnded: note("callEnded"),
      breakerChanged: note("breakerChanged"),
      committed: note("committed"),
      connectionOpened: note("connectionOpened"),
      connectionClosed: note("connectionClosed"),
      refused: note("refused"),
      recovered: note("recovered"),
      storageChanged: note("storageChanged"),
      messengerChanged: note("messengerChanged"),
      warned: note("warned"),
      faulted: note("faulted"),
    },
    of: (name) =>
      happenings.filter(([told]) => told === name).map(([, ...told]) => told) as unknown as Parameters<
        NonNullable<Observer[typeof name]>
      >[],
    names: () => happenings.map(([name]) => name),
  };
}
