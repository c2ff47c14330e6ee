import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { brokenAfter, eventsBehind, restOf } from "../doubles/background-answer.ts";
import { faultDeltas as deltas } from "../doubles/fault-shape.ts";
import { httpError, streamScript } from "../doubles/stream-script.ts";
import type { UpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { until } from "../support/until.ts";
import { textOf } from "../support/wire-client.ts";
import { createInterruptedServer, replay } from "./interrupted-server.ts";

const events = answer({ responseId: "resp_7", deltas, reasoning: ["First ", "think."] });
const ask = (pacing: object) => ({
  type: "openai_chat",
  id: "long",
  data: { input_text: "Hi", include_reasoning: true, options: { background: true }, pacing },
});
/** `crashes` that must be survived at least. Raw text is committed as it is read, so a slow machine may read all of it at once. */
const pacings = {
  raw: { pacing: { mode: "raw" }, crashes: 1 },
  "in small chunks": { pacing: { mode: "fixed", chunk_chars: 4, interval_ms: 100 }, crashes: 4 },
};

function reasoningOf(messages: readonly ServerMessage[]): string {
  return messages.map((message) => (message.type === "reasoning" ? message.text : "")).join("");
}

function checkWhole(messages: readonly ServerMessage[]): void {
  assert.deepEqual(
    messages.map((message) => "seq" in message && message.seq),
    messages.map((_, index) => index + 1),
  );
  assert.equal(textOf(messages), deltas.join(""));
  assert.equal(reasoningOf(messages), "First think.");
  assert.equal(messages.filter((message) => message.type === "chunk" && message.is_final).length, 1);
  const statuses = messages.flatMap((message) => (message.type === "status" ? [message.status] : []));
  assert.deepEqual(statuses, ["starting", "processing", "streaming", "completed"]);
  const end = messages.at(-1);
  assert.ok(end?.type === "response" && end.request_type === "openai_chat");
  assert.equal(end.data.output_text, deltas.join(""));
  assert.deepEqual([end.status, end.data.id, end.data.status], ["completed", "resp_7", "completed"]);
}

describe("a background answer that a crash cut off", () => {
  for (const [how, { pacing, crashes }] of Object.entries(pacings)) {
    it(`goes on as if nothing had happened, ${how}, for a crash before any commit`, async () => {
      let deaths = 0;
      let continued = 0;
      for (let isOver = false; !isOver; ) {
        await using at = await createInterruptedServer();
        at.upstream.respond(streamScript(events));
        at.upstream.respondToRetrieval((retrieval) => restOf(retrieval, events));
        const seen = await at.askAndDie(ask(pacing), { nth: deaths + 1 });
        isOver = seen === undefined;
        if (seen === undefined) break;
        deaths += 1;
        await using server = await at.start();
        const client = await server.connect();
        const kept = await fetch(`${server.httpUrl}/api/requests/long`);
        // Before its checkpoint is stored, the response is unknown. The request then ends, or never existed.
        if (kept.status === 404) continue;
        const messages = await replay(client, "long");
        assert.deepEqual(messages.slice(0, seen.length), seen);
        const end = messages.at(-1);
        if (end?.type === "error") {
          assert.equal(end.code, "interrupted");
          assert.equal(at.upstream.retrievals.length, 0);
          assert.ok(seen.every((message) => message.type === "status"));
          continue;
        }
        continued += 1;
        assert.equal(at.upstream.requests.length, 1);
        checkWhole(messages);
      }
      assert.ok(continued >= crashes, `${continued} of ${deaths}`);
    });
  }
});

/** The store dies in place of this text: one character, because the places of the cuts between chunks vary. */
const inTheMiddle = { nth: 1, statement: "journal", containing: "雨" } as const;

/** A server whose answer a crash cut off in the middle. The provider then returns it as `retrieved` says. */
async function cutInTheMiddle(retrieved: Parameters<UpstreamDouble["respondToRetrieval"]>[0]) {
  const at = await createInterruptedServer();
  at.upstream.respond(streamScript(events));
  at.upstream.respondToRetrieval(retrieved);
  const seen = await at.askAndDie(ask({ mode: "fixed", chunk_chars: 4, interval_ms: 100 }), inTheMiddle);
  assert.ok(seen !== undefined && textOf(seen).startsWith("Rain falls"));
  return { at, seen, [Symbol.asyncDispose]: () => at[Symbol.asyncDispose]() };
}

describe("a background answer that goes on in another process", () => {
  it("is stopped by a cancel, at the provider as well", async () => {
    const toldSoFar = events.slice(
      0,
      events.findIndex((event) => event.includes('"stops."')),
    );
    await using cut = await cutInTheMiddle((retrieval) =>
      brokenAfter(toldSoFar.length, eventsBehind(retrieval, toldSoFar), { hang: true }),
    );
    await using server = await cut.at.start();
    const client = await server.connect();
    client.send({ type: "resume", data: { request_id: "long", after_seq: cut.seen.length } });
    const resumed = await client.next((message) => message.type === "resumed");
    assert.ok(resumed.type === "resumed" && resumed.state === "running");
    await client.next((message) => message.type === "chunk");
    client.send({ type: "cancel", data: { request_id: "long" } });
    const messages = (await client.untilTerminal("long")).slice(1);
    const end = messages.at(-1);
    assert.ok(end?.type === "response" && end.request_type === "openai_chat" && end.status === "cancelled");
    assert.equal(end.data.id, "resp_7");
    assert.equal(end.data.output_text, textOf(cut.seen) + textOf(messages));
    await until(() => cut.at.upstream.sideRequests.length > 0);
    assert.equal(cut.at.upstream.sideRequests.at(-1)?.path, "/v1/responses/resp_7/cancel");
  });

  it("is interrupted if the provider no longer knows it, and keeps its text", async () => {
    await using cut = await cutInTheMiddle(() =>
      httpError(404, { message: "no", type: "invalid_request_error", code: null }),
    );
    await using server = await cut.at.start();
    const messages = await replay(await server.connect(), "long");
    assert.deepEqual(messages.slice(0, cut.seen.length), cut.seen);
    const end = messages.at(-1);
    assert.ok(end?.type === "error" && end.code === "interrupted");
    assert.equal(messages.filter((message) => message.type === "chunk" && message.is_final).length, 1);
    assert.equal(cut.at.upstream.requests.length, 1);
  });

  it("ends as the failure that the provider reports", async () => {
    const failing = answer({
      responseId: "resp_7",
      deltas,
      reasoning: ["First ", "think."],
      ending: { status: "failed", code: "server_error", message: "no" },
    });
    await using cut = await cutInTheMiddle((retrieval) => restOf(retrieval, failing));
    await using server = await cut.at.start();
    const messages = await replay(await server.connect(), "long");
    const end = messages.at(-1);
    assert.ok(end?.type === "error" && end.code === "upstream_error");
    assert.equal(textOf(messages), deltas.join(""));
  });

  it("has its time limit", async () => {
    await using cut = await cutInTheMiddle((retrieval) =>
      brokenAfter(1, eventsBehind(retrieval, events), { hang: true }),
    );
    await using server = await cut.at.start({ turnLimitMs: 120_000 });
    const client = await server.connect();
    client.send({ type: "resume", data: { request_id: "long", after_seq: 0 } });
    await client.next((message) => message.type === "resumed");
    await server.clock.advance(120_000);
    const end = (await client.untilTerminal("long")).at(-1);
    assert.ok(end?.type === "error" && end.code === "turn_timeout");
    assert.equal(cut.at.upstream.sideRequests.at(-1)?.path, "/v1/responses/resp_7/cancel");
  });

  it("goes on through one crash after another", async () => {
    await using cut = await cutInTheMiddle((retrieval) => restOf(retrieval, events));
    for (const containing of ["👩", '"final":true', '"completed"'])
      assert.ok(await cut.at.startAndDie("long", { nth: 1, statement: "journal", containing }), containing);
    await using server = await cut.at.start();
    const messages = await replay(await server.connect(), "long");
    assert.deepEqual(messages.slice(0, cut.seen.length), cut.seen);
    checkWhole(messages);
    assert.equal(cut.at.upstream.requests.length, 1);
  });

  it("counts as one call, for a crash before any commit", async () => {
    for (const containing of ["雨", '"final":true', '"type":"answer"']) {
      await using at = await createInterruptedServer();
      at.upstream.respond(streamScript(events));
      at.upstream.respondToRetrieval((retrieval) => restOf(retrieval, events));
      assert.ok(await at.askAndDie(ask({ mode: "raw" }), { nth: 1, statement: "journal", containing }));
      await using server = await at.start();
      await replay(await server.connect(), "long");
      // A read is done after all writes that were queued before it.
      await fetch(`${server.httpUrl}/api/usage`);
      using database = openBeside(at.database, { readOnly: true });
      const calls = database.prepare("SELECT request_id, outcome FROM usage").all();
      assert.deepEqual(
        calls.map((call) => ({ ...call })),
        [{ request_id: "long", outcome: "completed" }],
        containing,
      );
    }
  });

  it("leaves nothing of its request on the disk when it has ended", async () => {
    await using cut = await cutInTheMiddle((retrieval) => restOf(retrieval, events));
    {
      await using server = await cut.at.start();
      await replay(await server.connect(), "long");
    }
    using database = openBeside(cut.at.database, { readOnly: true });
    assert.deepEqual(
      { ...database.prepare("SELECT request, log IS NOT NULL AS ended FROM turns").get() },
      {
        request: null,
        ended: 1,
      },
    );
  });
});
