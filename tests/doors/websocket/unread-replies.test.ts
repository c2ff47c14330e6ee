import assert from "node:assert/strict";
import { test } from "node:test";
import { maxInFlight, startHeld } from "./held-server.ts";

/** Handles frames as long as each one lets the next in. Returns how many were let in. */
async function letIn(receive: () => Promise<void>, most: number): Promise<number> {
  for (let count = 0; count < most; count += 1) {
    const handled = receive().then(() => true);
    let stillWaits = Promise.resolve(false);
    for (let turn = 0; turn < 20; turn += 1) {
      stillWaits = stillWaits.then(() => new Promise((resolve) => setImmediate(() => resolve(false))));
    }
    if (!(await Promise.race([handled, stillWaits]))) return count;
  }
  return most;
}

const frame = (type: string, data: object, id?: string) =>
  JSON.stringify({ type, ...(id === undefined ? {} : { id }), data });
const bad = { message: "Hi", persona_id: "nobody" };

for (const [name, text, most] of [
  ["pings", frame("ping", {}), 0],
  ["frames that are no JSON", "{", 0],
  ["named requests that are refused", frame("chat", bad, "a"), 0],
  ["unnamed requests that are refused", frame("chat", bad), maxInFlight],
  ["cancels of what is not there", frame("cancel", { request_id: "nobody" }), 0],
  ["resumes of what is not there", frame("resume", { request_id: "nobody", after_seq: 0 }), 0],
  ["resumes of a request that has ended", frame("resume", { request_id: "ended", after_seq: 0 }), 0],
] as const) {
  test(`a client that does not read is not read either: ${name}`, async () => {
    const { turns, connect } = await startHeld();
    const { connection, held } = connect();
    await connection.receive(frame("openai_chat", { input_text: "Hi" }, "ended"));
    while (turns.count > 0) await held.take();
    await held.take();
    const before = held.writes.length;
    const count = await letIn(() => connection.receive(text), 200);
    assert.ok(count <= most, `${count} frames were let in`);
    assert.ok(held.writes.length <= before + 1);
    // Once it reads again, every received frame gets its reply.
    while (held.writes.slice(before).flat().length < count + 1) await held.take();
    void connection.close();
  });
}
