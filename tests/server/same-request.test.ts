import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sha256 } from "../../src/adapters/system/system.ts";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const requests = {
  openai_chat: { type: "openai_chat", id: "r", data: { input_text: "Hi", options: { top_p: 0.5 } } },
  chat: { type: "chat", id: "r", data: { message: "Hi", persona_id: "teacher" } },
  multi_chat: { type: "multi_chat", id: "r", data: { message: "Hi", persona_ids: ["teacher", "skeptic"] } },
} as const;
type Kind = keyof typeof requests;
const kinds = Object.keys(requests) as Kind[];

async function startRestarts() {
  const stack = new AsyncDisposableStack();
  const { folder, database: file } = stack.use(await createDataFolder());
  const upstream = stack.use(await createUpstreamDouble());
  const start = (options: TroupeOptions = {}) =>
    startTroupe({
      ...{ store: "sqlite", data: folder, openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl },
      clock: Object.assign(createTestClock({ instantMs: 1_000 }), { newId: () => crypto.randomUUID() }),
      ...options,
    });
  /** Sends a frame to a new server, and returns all messages in answer. */
  async function ask(frame: object, options: TroupeOptions = {}): Promise<string> {
    await using server = await start(options);
    return await answerOf(server, frame);
  }
  return { upstream, file, start, ask, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** All messages on a new connection in answer to a frame, or the code of a refusal. */
async function answerOf(server: RunningTroupe, frame: object): Promise<string> {
  const client = await server.connect();
  client.send(frame);
  await client.next(({ type }) => type === "response" || type === "error");
  client.terminate();
  const last = client.received.at(-1);
  return last?.type === "error" ? last.code : JSON.stringify(client.received);
}

/** Settings whose defaults may differ at the next start of the server, or in another version. */
const settings: readonly TroupeOptions[] = [
  { pacing: "raw" },
  { pacing: "fixed" },
  { model: "another-model" },
  { contextChars: 10, firstByteMs: 5, idleMs: 7, turnLimitMs: 1_000_000, unnamedGraceMs: 1 },
];

describe("a request that is sent again under its id is the same request", () => {
  for (const kind of kinds) {
    it(`after a restart with other settings: ${kind}`, async () => {
      await using system = await startRestarts();
      const first = await system.ask(requests[kind]);
      const { calls } = system.upstream;
      for (const options of settings)
        assert.equal(await system.ask(requests[kind], options), first, JSON.stringify(options));
      assert.equal(system.upstream.calls, calls);
    });

    it(`with any on_disconnect or on_interrupt, and with unknown fields: ${kind}`, async () => {
      await using system = await startRestarts();
      const { data, ...head } = requests[kind];
      await using server = await system.start();
      const first = await answerOf(server, requests[kind]);
      for (const more of [
        ...[{ on_disconnect: "cancel" }, { on_disconnect: 10 }, { on_interrupt: "restart" }],
        ...[{ pacing: {} }, { pacing: null }, { model: null }, { of_a_later_version: { a: 1 } }],
      ])
        assert.equal(
          await answerOf(server, { ...head, data: { ...more, ...data } }),
          first,
          JSON.stringify(more),
        );
    });

    it(`and not with another rhythm, model or budget: ${kind}`, async () => {
      await using system = await startRestarts();
      const { data, ...head } = requests[kind];
      await using server = await system.start();
      await answerOf(server, requests[kind]);
      for (const more of [
        ...[{ pacing: { mode: "natural" } }, { pacing: { interval_ms: 100 } }],
        ...[{ model: "gpt-4o-mini" }, { budget_tokens: 100_000 }],
      ])
        assert.equal(await answerOf(server, { ...head, data: { ...data, ...more } }), "request_id_conflict");
    });
  }

  const pacingOf = (chunkChars: number) =>
    `"pacing":{"chunkChars":${chunkChars},"intervalMs":100,"maxLagMs":400,"mode":"natural"}`;
  /** The digested text of a request with the text "Hi", as earlier versions made it. */
  const asKept = {
    chat: `[{"api":"openai","kind":"persona","message":"Hi",${pacingOf(30)},"personaIds":["teacher"]},null]`,
    openai_chat: `[{"includeReasoning":false,"inputText":"Hi","kind":"responses","options":{"top_p":0.5},${pacingOf(50)}},null]`,
  };
  const texts = { chat: "message", openai_chat: "input_text" };
  for (const kind of ["chat", "openai_chat"] as const)
    it(`if an earlier version stored it, while the server's defaults are the same: ${kind}`, async () => {
      await using system = await startRestarts();
      const first = await system.ask(requests[kind]);
      const database = openBeside(system.file);
      database.prepare("UPDATE turns SET content_hash = ?").run(sha256(asKept[kind]));
      database.close();
      assert.equal(await system.ask(requests[kind]), first);
      const { data } = requests[kind];
      const other = { ...requests[kind], data: { ...data, [texts[kind]]: "Ho" } };
      assert.equal(await system.ask(other), "request_id_conflict");
      assert.equal(await system.ask(requests[kind], { pacing: "raw" }), "request_id_conflict");
    });
});
