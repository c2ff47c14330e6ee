import assert from "node:assert/strict";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";

/** Notes what every number of one request meant to anybody; a second meaning fails the test. */
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
