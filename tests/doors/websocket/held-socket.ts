import type { OutgoingMessage } from "../../../src/ports/socket.ts";

/** A socket whose writes are taken when the test says so. */
export function heldSocket() {
  const sent: OutgoingMessage[] = [];
  const writes: (readonly string[])[] = [];
  let held: ((cause?: Error) => void)[] = [];
  let ended: Error | undefined;
  const settle = () => {
    const taken = held;
    held = [];
    for (const onTaken of taken) onTaken(ended);
  };
  return {
    /** Every message as it was given. */
    sent,
    /** The texts of each write. */
    writes,
    socket: {
      send(messages: readonly OutgoingMessage[], onTaken: (cause?: Error) => void): boolean {
        sent.push(...messages);
        writes.push(messages.map((one) => (typeof one === "string" ? one : Buffer.from(one).toString())));
        held.push(onTaken);
        if (ended !== undefined) process.nextTick(settle);
        return false;
      },
      close: () => undefined,
    },
    /** Takes the present write; settles when the next one has started. */
    async take() {
      settle();
      await new Promise((begun) => setImmediate(begun));
    },
    /** Ends the connection, for the present write and for all later ones. */
    break() {
      ended = new Error("gone");
      settle();
    },
  };
}
