/** A socket whose writes are taken when the test says so. */
export function heldSocket() {
  const writes: (readonly string[])[] = [];
  let held: ((cause?: Error) => void)[] = [];
  let ended: Error | undefined;
  const settle = () => {
    const taken = held;
    held = [];
    for (const onTaken of taken) onTaken(ended);
  };
  return {
    writes,
    socket: {
      send(texts: readonly string[], onTaken: (cause?: Error) => void): boolean {
        writes.push(texts);
        held.push(onTaken);
        if (ended !== undefined) process.nextTick(settle);
        return false;
      },
      close: () => undefined,
    },
    /** Takes the write that is under way; settles when the next has begun. */
    async take() {
      settle();
      await new Promise((begun) => setImmediate(begun));
    },
    /** The connection has ended, for the write that is under way and for all later ones. */
    break() {
      ended = new Error("gone");
      settle();
    },
  };
}
