import assert from "node:assert/strict";
import { test } from "node:test";
import { startTroupe } from "../support/start-troupe.ts";

test("a client that leaves before its replies are sent is no fault of the server's", async () => {
  const faults: string[] = [];
  const note = (fields: object, message: string) => {
    faults.push(`${message} ${JSON.stringify(fields)}`);
  };
  const nothing = () => undefined;
  const logger = { debug: nothing, info: nothing, warn: note, error: note };
  await using server = await startTroupe({ logger });
  for (let round = 0; round < 20; round += 1) {
    const client = await server.connect();
    for (let count = 0; count < 20; count += 1) {
      client.send({ type: "ping", id: `p${count}` });
      client.send({ type: "resume", data: { request_id: "never", after_seq: 0 } });
    }
    if (round % 2 === 0) client.terminate();
    else client.close();
    await client.closed;
  }
  while (server.troupe.stats().connections > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(faults, []);
});
