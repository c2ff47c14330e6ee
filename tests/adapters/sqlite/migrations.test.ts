import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { migrate } from "../../../src/adapters/sqlite/migrations.ts";
import type { ServerMessage } from "../../../src/protocol/server-messages.ts";
import { createDataFolder } from "../../crash/data-folder.ts";
import { startTroupe } from "../../support/start-troupe.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { textOf } from "../../support/wire-client.ts";

const status = { type: "status", lane: "teacher", status: "starting", simulated: true };
const said = (text: string, final = false) => ({ type: "text", lane: "teacher", text, final });
const persona = { id: "teacher", name: "Teacher", description: "Teaches." };
const answered = {
  type: "answer",
  status: "completed",
  answer: {
    finishReason: "stop",
    kind: "persona",
    conversationId: "c-1",
    answer: {
      persona,
      index: 0,
      status: "completed",
      text: "An old answer.",
      model: "demo",
      api: "openai",
      simulated: true,
    },
  },
};

/** A file of the first version with everything in it: an ended turn, a running one, one that is gone, a conversation. */
function makeFirstVersion(file: string): void {
  const database = new DatabaseSync(file);
  migrate(database, 1);
  const run = (sql: string, ...values: (string | number | null)[]) => database.prepare(sql).run(...values);
  const endedAtMs = 1_699_999_999_000;
  const conversation = "INSERT INTO conversations (id, owner, title, changed, created_at_ms, updated_at_ms)";
  run(`${conversation} VALUES ('c-1', 'anonymous', 'Old things', 1, 1, 1)`);
  const message =
    "INSERT INTO messages (id, conversation_id, owner, parent_id, request_id, role, persona_id, text, status, created_at_ms)";
  for (const [id, parent, request, role, text] of [
    ["m-1", null, "ended", "user", "An old question?"],
    ["m-2", "m-1", "ended", "assistant", "An old answer."],
    ["m-3", "m-2", "running", "user", "Another question?"],
  ] as const) {
    const who = role === "assistant" ? "teacher" : null;
    run(
      `${message} VALUES (?, 'c-1', 'anonymous', ?, ?, ?, ?, ?, 'completed', 1)`,
      ...[id, parent, request, role, who, text],
    );
  }
  run("UPDATE conversations SET head_id = 'm-2'");
  const turn =
    "INSERT INTO turns (number, owner, id, content_hash, conversation_id, created_at_ms, ended_at_ms, first_beat, log)";
  const log = JSON.stringify([status, said("An old "), said("answer.", true), answered]);
  run(`${turn} VALUES (1, 'anonymous', 'ended', 'hash', 'c-1', 1, ?, 1, ?)`, endedAtMs, log);
  run(`${turn} VALUES (2, 'anonymous', 'running', 'hash', 'c-1', 1, NULL, 3, NULL)`);
  const beat = "INSERT INTO journal (beat, entries) VALUES (?, ?)";
  // The row of turn 9 was forgotten, and the journal not pruned since.
  run(beat, 2, JSON.stringify([[9, 1, [status, said("gone")]]]));
  run(beat, 3, JSON.stringify([[2, 1, [status, said("Half an ")]]]));
  database.close();
}

const seqs = (messages: readonly ServerMessage[]) =>
  messages.map((message) => "seq" in message && message.seq);

test("a file of the first version comes through all steps with everything in it", async () => {
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
  const database = new DatabaseSync(place.database, { readOnly: true });
  const number = database.prepare("SELECT number FROM turns WHERE id = 'new'").get()?.number;
  database.close();
  assert.equal(number, 10);
});
