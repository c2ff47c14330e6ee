import assert from "node:assert/strict";
import { copyFile, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import type { ServerMessage } from "../../../src/protocol/server-messages.ts";
import { createDataFolder } from "../../crash/data-folder.ts";
import { answer } from "../../doubles/answer.ts";
import { restOf } from "../../doubles/background-answer.ts";
import { streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import { replay } from "../../recovery/interrupted-server.ts";
import { openBeside } from "../../support/open-beside.ts";
import { type RunningTroupe, startTroupe } from "../../support/start-troupe.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { textOf, type WireClient } from "../../support/wire-client.ts";

const data = path.join(import.meta.dirname, "../../fixtures/earlier-database");
const deltas = ["The ", "rain ", "falls ", "on ", "the ", "roof ", "all ", "night."];
const whole = deltas.join("");
/** The upstream had sent this much when the server was killed. */
const shown = "The rain falls on the ";

/** The messages of each request as its client got them from the earlier server, before the kill. */
const seen: Readonly<Record<string, readonly string[]>> = JSON.parse(
  await readFile(path.join(data, "running-turns.json"), "utf8"),
);

const frames = (messages: readonly ServerMessage[]) => messages.map((message) => JSON.stringify(message));
const endOf = (messages: readonly ServerMessage[]) => {
  const end = messages.at(-1);
  return end?.type === "error" ? end.code : end?.type;
};

function assertContinues(id: string, messages: readonly ServerMessage[]): void {
  assert.deepEqual(
    messages.map((message) => "seq" in message && message.seq),
    messages.map((_, index) => index + 1),
  );
  const before = seen[id] ?? [];
  assert.ok(before.length > 0);
  assert.deepEqual(frames(messages).slice(0, before.length), before);
}

describe("a database of an earlier version, whose server was killed while turns ran", () => {
  const stack = new AsyncDisposableStack();
  let server: RunningTroupe;
  let client: WireClient;
  const conversations = new Map<unknown, unknown>();

  before(async () => {
    const place = stack.use(await createDataFolder());
    await copyFile(path.join(data, "running-turns.db"), place.database);
    {
      using database = openBeside(place.database);
      for (const { id, conversation_id } of database.prepare("SELECT id, conversation_id FROM turns").all())
        conversations.set(id, conversation_id);
    }
    const upstream = stack.use(await createUpstreamDouble());
    upstream.respond(streamScript(answer({ responseId: "resp_again", deltas })));
    const events = answer({ responseId: "resp_background", deltas, reasoning: ["First ", "think."] });
    upstream.respondToRetrieval((retrieval) => restOf(retrieval, events));
    server = stack.use(
      await startTroupe({
        ...{ store: "sqlite", data: place.folder, clock: createTestClock({ instantMs: 9_000 }) },
        ...{ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl },
      }),
    );
    client = await server.connect();
  });
  after(() => stack.disposeAsync());

  /** The texts in the conversation of a request. */
  async function storedTexts(requestId: string): Promise<string[]> {
    const read = await fetch(`${server.httpUrl}/api/conversations/${conversations.get(requestId)}`);
    const { messages } = (await read.json()) as { messages: { text: string }[] };
    return messages.map(({ text }) => text);
  }

  for (const id of ["ended", "ended-chat", "ended-ensemble", "failed"])
    it(`replays the ended turn "${id}" byte for byte`, async () => {
      assert.deepEqual(frames(await replay(client, id)), seen[id]);
    });

  for (const [id, texts] of [
    ["compacted", [whole]],
    ["compacted-ensemble", [whole, ""]],
  ] as const)
    it(`replays the texts and the end of the compacted turn "${id}"`, async () => {
      const [reset, ...rest] = await replay(client, id);
      const before = seen[id] ?? [];
      assert.ok(reset?.type === "reset");
      assert.equal(reset.through_seq, before.length - 1);
      assert.deepEqual(
        reset.lanes.map(({ text }) => text),
        texts,
      );
      assert.deepEqual(frames(rest), before.slice(-1));
    });

  it("ends a stream as interrupted, with its text, reasoning and tools", async () => {
    const messages = await replay(client, "stream");
    assertContinues("stream", messages);
    assert.deepEqual([textOf(messages), endOf(messages)], [shown, "interrupted"]);
  });

  it("ends a persona's answer as interrupted, and puts its text into the conversation", async () => {
    const messages = await replay(client, "chat");
    assertContinues("chat", messages);
    assert.deepEqual([textOf(messages), endOf(messages)], [shown, "interrupted"]);
    assert.deepEqual(await storedTexts("chat"), ["Half [half]", shown]);
  });

  it("ends an ensemble as interrupted, with the whole answer of one lane and the shown text of the other", async () => {
    const messages = await replay(client, "ensemble");
    assertContinues("ensemble", messages);
    assert.deepEqual(
      [textOf(messages, "teacher"), textOf(messages, "skeptic"), endOf(messages)],
      [whole, shown, "interrupted"],
    );
    assert.deepEqual(await storedTexts("ensemble"), ["Half [first]", whole, shown]);
  });

  it("ends an ensemble without chunks as interrupted, with its one answer", async () => {
    const messages = await replay(client, "unstreamed-ending");
    assertContinues("unstreamed-ending", messages);
    assert.equal(endOf(messages), "interrupted");
    assert.deepEqual(await storedTexts("unstreamed-ending"), ["Half [first]", whole]);
  });

  it("answers a request again that asked for it", async () => {
    const messages = await replay(client, "restart");
    assertContinues("restart", messages);
    const reset = messages.findIndex(({ type }) => type === "reset");
    assert.equal(reset, seen.restart?.length);
    assert.deepEqual([textOf(messages.slice(reset)), endOf(messages)], [whole, "response"]);
    assert.deepEqual(await storedTexts("restart"), ["Half [half]", whole]);
  });

  it("answers only the cut lane of an ensemble again", async () => {
    const messages = await replay(client, "unstreamed");
    assertContinues("unstreamed", messages);
    const answers = messages.flatMap((message) =>
      message.type === "persona_response" ? [[message.persona_id, message.response]] : [],
    );
    assert.deepEqual(answers, [
      ["teacher", whole],
      ["skeptic", whole],
    ]);
    assert.equal(endOf(messages), "response");
  });

  it("continues a background answer after its checkpoint, which counted reasoning and tools together", async () => {
    const messages = await replay(client, "background");
    assertContinues("background", messages);
    const reasoning = messages.map((message) => (message.type === "reasoning" ? message.text : "")).join("");
    assert.deepEqual([textOf(messages), reasoning, endOf(messages)], [whole, "First think.", "response"]);
    assert.ok(messages.every(({ type }) => type !== "reset"));
  });
});
