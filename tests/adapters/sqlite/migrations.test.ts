import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerMessage } from "../../../src/protocol/server-messages.ts";
import { createDataFolder } from "../../crash/data-folder.ts";
import { openBeside } from "../../support/open-beside.ts";
import { startTroupe } from "../../support/start-troupe.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { textOf } from "../../support/wire-client.ts";
import { makeFirstVersion } from "./first-version.ts";

const seqs = (messages: readonly ServerMessage[]) =>
  messages.map((message) => "seq" in message && message.seq);

test("a file of the first version passes all migrations with its whole content", async () => {
  await using place = await createDataFolder();
  makeFirstVersion(place.database);
  const clock = createTestClock({ instantMs: 1_000 });
  await using server = await startTroupe({ store: "sqlite", data: place.folder, clock });
  const client = await server.connect();

  client.send({ type: "resume", data: { request_id: "ended", after_seq: 0 } });
  const ended = (await client.untilTerminal("ended")).slice(1);
  assert.deepEqual([textOf(ended), seqs(ended)], ["An old answer.", [1, 2, 3, 4]]);
  assert.equal(ended.at(-1)?.type, "response");

  client.send({ type: "resume", data: { request_id: "running", after_seq: 0 } });
  const running = (await client.untilTerminal("running")).slice(1);
  const end = running.at(-1);
  assert.deepEqual([textOf(running), seqs(running)], ["Half an ", [1, 2, 3, 4]]);
  assert.ok(end?.type === "error" && end.code === "interrupted");

  const found = await (await fetch(`${server.httpUrl}/api/conversations?q=old`)).json();
  assert.equal((found as { matches: unknown[] }).matches.length, 2);
  const read = (await (await fetch(`${server.httpUrl}/api/conversations/c-1`)).json()) as {
    messages: { text: string }[];
  };
  assert.deepEqual(
    read.messages.map(({ text }) => text),
    ["An old question?", "An old answer.", "Another question?", "Half an "],
  );

  client.send({
    type: "chat",
    id: "new",
    data: { message: "More?", persona_id: "teacher", conversation_id: "c-1" },
  });
  assert.equal((await client.untilTerminal("new")).at(-1)?.type, "response");
  const database = openBeside(place.database, { readOnly: true });
  const number = database.prepare("SELECT number FROM turns WHERE id = 'new'").get()?.number;
  database.close();
  assert.equal(number, 10);
});
