import assert from "node:assert/strict";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";

/** Records the message that each number of a request stood for. A second message with the same number fails the test. */
export function createNumbers() {
  const byNumber = new Map<number, string>();
  return {
    note(messages: readonly ServerMessage[]): void {
      for (const message of messages) {
        if (!("seq" in message) || message.seq === undefined) continue;
        const said = JSON.stringify(message);
        assert.equal(byNumber.get(message.seq) ?? said, said);
        byNumber.set(message.seq, said);
      }
    },
  };
}
