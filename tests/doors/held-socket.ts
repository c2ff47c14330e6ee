import { SocketEndedError } from "../../src/ports/socket.ts";

/** A socket whose writes are taken when the test says so. */
export function heldSocket() {
  const writes: (readonly string[])[] = [];
  let held = Promise.withResolvers<void>();
  return {
    writes,
    socket: {
      send(texts: readonly string[]) {
        if (texts.length === 0) return Promise.resolve();
        writes.push(texts);
        return held.promise;
      },
      close: () => undefined,
    },
    /** Takes the write that is under way; settles when the next has begun. */
    async take() {
      const { resolve } = held;
      held = Promise.withResolvers();
      resolve();
      await new Promise((begun) => setImmediate(begun));
    },
    break: () => held.reject(new SocketEndedError("gone")),
  };
}
