/** A gate that every slot of a load passes before each question, so that all slots can be brought to rest. */
export function createSlotGate(slots: number) {
  let open = Promise.withResolvers<void>();
  let allWaiting = Promise.withResolvers<void>();
  let closed = false;
  let waiting = 0;

  return {
    /** Called by a slot: waits while the gate is closed. */
    async pass(): Promise<void> {
      if (!closed) return;
      waiting += 1;
      if (waiting === slots) allWaiting.resolve();
      await open.promise;
    },
    /** Stops all new questions. Settles when every slot has its answer and waits. */
    close(): Promise<void> {
      closed = true;
      waiting = 0;
      open = Promise.withResolvers();
      allWaiting = Promise.withResolvers();
      return allWaiting.promise;
    },
    open(): void {
      closed = false;
      open.resolve();
    },
  };
}

export type SlotGate = ReturnType<typeof createSlotGate>;
