import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTranscript, foldMessage } from "../../src/client/index.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import type { FailPoint } from "../crash/mortal-threads.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { openBeside } from "../support/open-beside.ts";
import { createInterruptedServer, type InterruptedServer, replay } from "./interrupted-server.ts";

const pacing = { mode: "fixed", chunk_chars: 8, interval_ms: 100 };
const personas = ["teacher", "skeptic"];
const asks = {
  openai_chat: { input_text: "Hi", pacing },
  chat: { message: "Hi", persona_id: "teacher", pacing },
  multi_chat: { message: "Hi", persona_ids: personas, pacing },
  "multi_chat without chunks": { message: "Hi", persona_ids: personas, pacing, stream: false },
};

/** Number of commits from one crash point to the next. */
const strides = { openai_chat: 2, chat: 2, multi_chat: 3, "multi_chat without chunks": 1 };

/** The words of the provider's n-th call, so that a text tells which call it came from. */
function wordsOf(call: number): string {
  return Array.from({ length: 6 }, (_, index) => `${call}-${index} `).join("");
}

async function createCountedServer(): Promise<InterruptedServer> {
  const at = await createInterruptedServer();
  at.upstream.respond((_, index) =>
    streamScript(answer({ responseId: `resp_${index}`, text: wordsOf(index) }), {
      // The second lane is slower, so that a crash happens when one lane has ended and the other has not.
      betweenEvents: () =>
        index % 2 === 0 ? [] : [{ waitFor: () => new Promise((resolve) => setImmediate(resolve)) }],
    }),
  );
  return at;
}

const restart = (kind: keyof typeof asks) => ({
  type: kind.split(" ")[0],
  id: "again",
  data: { ...asks[kind], on_interrupt: "restart" },
});

/** The lanes' texts as our own client shows them. */
function shown(messages: readonly ServerMessage[]): string[] {
  return messages.reduce(foldMessage, createTranscript()).lanes.map(({ text }) => text);
}

/** The texts of the whole answer, which must equal the texts shown before. */
function told(end: ServerMessage | undefined): string[] {
  if (end?.type !== "response") return [];
  if (end.request_type === "openai_chat") return [end.data.output_text];
  return end.request_type === "chat"
    ? [end.data.response]
    : end.data.responses.map(({ response }) => response);
}

function checkAnswered(messages: readonly ServerMessage[]): void {
  assert.deepEqual(
    messages.map((message) => "seq" in message && message.seq),
    messages.map((_, index) => index + 1),
  );
  const end = messages.at(-1);
  assert.equal(end?.type, "response", JSON.stringify(end));
  const whole = told(end);
  for (const text of whole) assert.match(text, /^(\d+)-0 \1-1 \1-2 \1-3 \1-4 \1-5 $/);
  assert.deepEqual(shown(messages.slice(0, -1)).toSorted(), whole.toSorted());
  assert.deepEqual(shown(messages).toSorted(), whole.toSorted());
}

/** Checks that the conversation has the question once, and every answer as it was shown. */
function checkStored(database: string, end: ServerMessage | undefined): void {
  using opened = openBeside(database, { readOnly: true });
  const stored = opened.prepare("SELECT role, text, status FROM messages ORDER BY number").all();
  const texts = (role: string) => stored.filter((row) => row.role === role).map(({ text }) => String(text));
  const isPlain = end?.type === "response" && end.request_type === "openai_chat";
  assert.deepEqual(texts("user"), isPlain ? [] : ["Hi"]);
  assert.deepEqual(texts("assistant").toSorted(), isPlain ? [] : told(end).toSorted());
  assert.deepEqual(
    opened.prepare("SELECT id FROM turns WHERE request IS NOT NULL OR ended_at_ms IS NULL").all(),
    [],
  );
}

describe("a request that is to be answered again after a crash", () => {
  for (const kind of Object.keys(asks) as (keyof typeof asks)[]) {
    it(`${kind}: has one whole answer at the end, for a crash before any commit`, async () => {
      let deaths = 0;
      let restarts = 0;
      for (;;) {
        await using at = await createCountedServer();
        const seen = await at.askAndDie(restart(kind), { nth: deaths + 1 });
        if (seen === undefined) break;
        deaths += strides[kind];
        const calls = at.upstream.requests.length;
        let end: ServerMessage | undefined;
        {
          await using server = await at.start();
          const kept = await fetch(`${server.httpUrl}/api/requests/again`);
          if (kept.status === 404) continue;
          const messages = await replay(await server.connect(), "again");
          end = messages.at(-1);
          assert.deepEqual(messages.slice(0, seen.length), seen);
          const resets = messages.filter(({ type }) => type === "reset").length;
          restarts += resets;
          assert.ok(resets <= 1);
          assert.ok(at.upstream.requests.length - calls <= personas.length);
          if (end?.type === "error") {
            // Its last text was stored, but not how it ended; it may have been cancelled.
            assert.deepEqual([end.code, resets], ["interrupted", 0]);
            assert.ok(messages.some((message) => message.type === "chunk" && message.is_final));
            assert.ok(
              kind === "openai_chat" ||
                !messages.some(
                  ({ type, ...rest }) => type === "status" && "status" in rest && rest.status === "completed",
                ),
            );
            continue;
          }
          checkAnswered(messages);
        }
        checkStored(at.database, end);
      }
      assert.ok(restarts >= 2, `${restarts}`);
    });
  }

  it("keeps the answers of ended lanes, and asks only the others again", async () => {
    await using at = await createCountedServer();
    const point: FailPoint = { nth: 2, statement: "journal", containing: '"lane-answer"' };
    const seen = await at.askAndDie(restart("multi_chat"), point);
    const first = seen?.find((message) => message.type === "persona_response");
    assert.ok(first?.type === "persona_response");
    await using server = await at.start();
    const messages = await replay(await server.connect(), "again");
    checkAnswered(messages);
    const end = messages.at(-1);
    assert.ok(told(end).includes(first.response));
    const reset = messages.find(({ type }) => type === "reset");
    const other = personas.filter((persona) => persona !== first.persona_id);
    if (reset?.type === "reset")
      assert.deepEqual(
        reset.lanes,
        other.map((persona_id) => ({ persona_id, text: "" })),
      );
    assert.equal(at.upstream.requests.length, reset === undefined ? 2 : 3);
  });

  it("is not answered again for ever", async () => {
    await using at = await createCountedServer();
    // Every answer is cut off before its last words are stored.
    const point: FailPoint = { nth: 1, statement: "journal", containing: "-2 " };
    await at.askAndDie(restart("chat"), point);
    for (let crash = 0; crash < 3; crash += 1) assert.ok(await at.startAndDie("again", point));
    await using server = await at.start();
    const messages = await replay(await server.connect(), "again");
    const end = messages.at(-1);
    assert.ok(end?.type === "error" && end.code === "interrupted");
    assert.equal(messages.filter(({ type }) => type === "reset").length, 3);
    assert.equal(at.upstream.requests.length, 4);
  });

  it("ends as interrupted if it did not ask for a restart", async () => {
    await using at = await createCountedServer();
    const { on_interrupt: _, ...data } = restart("chat").data;
    await at.askAndDie({ ...restart("chat"), data } as never, {
      nth: 1,
      statement: "journal",
      containing: "-2 ",
    });
    await using server = await at.start();
    const end = (await replay(await server.connect(), "again")).at(-1);
    assert.ok(end?.type === "error" && end.code === "interrupted");
    assert.equal(at.upstream.requests.length, 1);
  });
});
