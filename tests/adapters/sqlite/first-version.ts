import { DatabaseSync } from "node:sqlite";
import { migrate } from "../../../src/adapters/sqlite/migrations.ts";

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

/**
 * Makes a file of the first version with every kind of content: an ended turn, a running one, a forgotten one, a
 * conversation.
 */
export function makeFirstVersion(file: string): void {
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
  // The row of turn 9 was forgotten, and the journal has not been pruned since.
  run(beat, 2, JSON.stringify([[9, 1, [status, said("gone")]]]));
  run(beat, 3, JSON.stringify([[2, 1, [status, said("Half an ")]]]));
  database.close();
}
