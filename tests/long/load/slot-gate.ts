/** A door that all slots of a load pass between two questions, so that they can be brought to a known state. */
export function createSlotGate(slots: number) {
  let open = Promise.withResolvers<void>();
  let allWaiting = Promise.withResolvers<void>();
  let allBegun = Promise.withResolvers<void>();
  let closed = false;
  let waiting = 0;
  let begun = new Set<number>();

  return {
    /** For a slot: waits while the gate is closed. */
    async pass(): Promise<void> {
      if (!closed) return;
      waiting += 1;
      if (waiting === slots) allWaiting.resolve();
      await open.promise;
    },
    /** For a slot: the first text of its answer has come. */
    begin(slot: number): void {
      begun.add(slot);
      if (begun.size === slots) allBegun.resolve();
    },
    /** Lets nobody ask any more; settles when every slot has its answer and waits. */
    close(): Promise<void> {
      closed = true;
      waiting = 0;
      open = Promise.withResolvers();
      allWaiting = Promise.withResolvers();
      return allWaiting.promise;
    },
    /** Lets all of them ask at once; settles when text has come to every slot. */
    open(): Promise<void> {
      closed = false;
      begun = new Set();
      allBegun = Promise.withResolvers();
      open.resolve();
      return allBegun.promise;
    },
  };
}

export type SlotGate = ReturnType<typeof createSlotGate>;
