import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answer } from "../doubles/answer.ts";
import { createProxyDouble } from "../doubles/proxy-double.ts";
import { personaOf } from "../doubles/read-call.ts";
import { httpError, streamHead, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble, type RecordedRequest } from "../doubles/upstream-double.ts";
import { createFaultBench } from "../faults/fault-bench.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { textOf } from "../support/wire-client.ts";

const openaiTransport = "websocket";
const says = (text: string) => streamScript([answer({ text }).join("")]);
const begun = answer({ deltas: ["Rain ", "falls."] })
  .slice(0, 5)
  .join("");
const frame = (event: object) => `data: ${JSON.stringify(event)}\n\n`;
const instructionsOf = ({ body }: RecordedRequest) =>
  (body as { readonly instructions?: string }).instructions;

describe("answers over WebSockets", () => {
  it("reach clients as openai_chat, chat and multi_chat", async () => {
    await using bench = await createFaultBench({ openaiTransport });
    const { client, double } = bench;
    double.respond((request) => says(`I am ${personaOf(instructionsOf(request)) ?? "nobody"}.`));
    bench.ask();
    const end = (await bench.untilTerminal()).at(-1);
    assert.ok(end?.type === "response" && end.request_type === "openai_chat");
    assert.equal(end.data.output_text, "I am nobody.");
    client.send({ type: "chat", id: "c", data: { message: "Well?", persona_id: "teacher" } });
    assert.equal(textOf(await client.untilTerminal()), "I am teacher.");
    client.send({
      type: "multi_chat",
      id: "m",
      data: { message: "Well?", persona_ids: ["teacher", "skeptic"] },
    });
    const texts = (await client.untilTerminal()).flatMap((message) =>
      message.type === "persona_response" ? [message.response] : [],
    );
    assert.deepEqual(texts.sort(), ["I am skeptic.", "I am teacher."]);
    assert.equal(double.calls, 4);
    assert.ok(double.requests.every(({ headers }) => headers.upgrade === "websocket"));
  });

  it("are stopped by closing the socket of each lane", async () => {
    await using bench = await createFaultBench({ openaiTransport });
    const { client, double } = bench;
    double.respond([streamHead(), { write: begun }, { hang: true }]);
    client.send({
      type: "multi_chat",
      id: "m",
      data: { message: "Well?", persona_ids: ["teacher", "skeptic"] },
    });
    await bench.until((received) => received.filter(({ type }) => type === "chunk").length >= 2);
    assert.equal(double.openConnections(), 2);
    client.send({ type: "cancel", data: { request_id: "m" } });
    const end = await client.next((message) => message.type === "response");
    assert.ok(end.type === "response" && end.finish_reason === "cancelled");
    await Promise.all(double.requests.map((request) => double.closed(request)));
    assert.equal(double.openConnections(), 0);
  });

  it("that a socket broke off are errors with the shown text, and are not repeated", async () => {
    await using bench = await createFaultBench({ openaiTransport });
    bench.double.respond([streamHead(), { write: begun }, { end: true }]);
    bench.ask();
    const messages = await bench.untilTerminal();
    const end = messages.at(-1);
    assert.ok(end?.type === "error" && end.code === "upstream_disconnected");
    assert.deepEqual([textOf(messages), bench.double.calls], ["Rain ", 1]);
  });

  it("whose response the vendor has lost are made from our own store", async () => {
    await using double = await createUpstreamDouble({ webSocket: true });
    const options = { openaiApiKey: "test-key", openaiBaseUrl: double.baseUrl, openaiTransport } as const;
    await using server = await startTroupe(options);
    const client = await server.connect();
    client.send({ type: "openai_chat", id: "one", data: { input_text: "Remember Oslo." } });
    const first = (await client.untilTerminal()).at(-1);
    assert.ok(first?.type === "response" && first.request_type === "openai_chat");
    const lost = {
      type: "error",
      status: 400,
      error: { code: "previous_response_not_found", message: "lost" },
    };
    double.respond(({ body }) =>
      JSON.stringify(body).includes('"previous_response_id"')
        ? [streamHead(), { write: frame(lost) }]
        : says("Oslo."),
    );
    const data = { input_text: "Which?", previous_response_id: first.data.id };
    client.send({ type: "openai_chat", id: "two", data });
    assert.equal(textOf(await client.untilTerminal()), "Oslo.");
    assert.equal(double.calls, 3);
    assert.ok(JSON.stringify(double.requests[2]?.body).includes("Remember Oslo."));
  });

  it("go over HTTP if the server has no WebSocket: it is asked once, the log tells it, and no client sees it", async () => {
    await using bench = await createFaultBench({ openaiTransport });
    bench.double.refuseUpgrades(streamScript(["Not here."]));
    bench.double.respond(says("Rain."));
    for (const id of ["one", "two"]) {
      bench.client.send({ type: "openai_chat", id, data: { input_text: "Well?" } });
      const messages = await bench.client.untilTerminal();
      assert.equal(messages.at(-1)?.type, "response");
    }
    assert.deepEqual([bench.double.upgrades.length, bench.double.calls], [1, 2]);
    assert.equal(bench.logged.filter((line) => line.includes("takes no WebSocket")).length, 1);
  });

  it("travel over the proxy of calls", async () => {
    // This proxy is the end of the way to OpenAI.
    await using way = await createProxyDouble();
    const options = { openaiApiKey: "test-key", openaiTransport, httpsProxy: way.host } as const;
    await using server = await startTroupe({ ...options, clock: createTestClock({ instantMs: 30_000 }) });
    const client = await server.connect();
    client.send({ type: "openai_chat", data: { input_text: "Hi" } });
    const end = (await client.untilTerminal()).at(-1);
    assert.ok(end?.type === "error" && end.code === "upstream_unreachable", JSON.stringify(end));
    assert.deepEqual([...new Set(way.calls.map(({ target }) => target))], ["api.openai.com:443"]);
  });

  it("that fail put neither the key nor the question into a message or the log", async () => {
    const said = { message: "test-key may not ask: Tell me.", code: "invalid_api_key", type: null };
    for (const isUpgrade of [true, false]) {
      await using bench = await createFaultBench({ openaiTransport });
      if (isUpgrade) bench.double.refuseUpgrades(httpError(401, said));
      bench.double.respond([streamHead(), { write: frame({ type: "error", status: 401, error: said }) }]);
      bench.ask();
      const end = (await bench.untilTerminal()).at(-1);
      assert.ok(end?.type === "error" && end.code === "upstream_auth");
      const everything = JSON.stringify([bench.logged, bench.client.received]);
      assert.ok(everything.includes("upstream_auth"));
      for (const secret of ["test-key", "Tell me."]) assert.equal(everything.includes(secret), false, secret);
    }
  });
});
