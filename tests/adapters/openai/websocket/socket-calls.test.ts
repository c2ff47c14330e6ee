import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { WebSocketServer } from "ws";
import { answer } from "../../../doubles/answer.ts";
import { createGate } from "../../../doubles/script.ts";
import { streamHead, streamScript } from "../../../doubles/stream-script.ts";
import { until } from "../../../support/until.ts";
import { createProviderSetup, type ProviderSetup, question, reading } from "../provider-setup.ts";
import { createSocketSetup, frame, readCall } from "./read-call.ts";

const says = (text: string) => streamScript([answer({ text }).join("")]);

/** Calls, each once the one before has ended. */
async function callTimes(at: ProviderSetup, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) assert.equal((await readCall(at)).thrown, undefined);
}

describe("a call over a WebSocket", () => {
  it("sends the headers with the upgrade, and the parameters in one frame", async () => {
    await using at = await createSocketSetup();
    const options = { background: false, user: "ada" };
    const { text, events } = await readCall(at, { options, temperature: 0.5 });
    assert.equal(text, "Hello, how can I help?");
    assert.equal(events.at(-1)?.type, "end");
    const [upgrade] = at.double.upgrades;
    assert.equal(upgrade?.path, "/v1/responses");
    assert.equal(upgrade?.headers.authorization, "Bearer key-of-a-test");
    for (const name of ["content-type", "content-length", "sec-websocket-extensions"])
      assert.equal(upgrade?.headers[name], undefined, name);
    assert.deepEqual(at.double.requests[0]?.body, {
      ...{ type: "response.create", model: "gpt-4o-mini", input: "Well?" },
      ...{ user: "ada", temperature: 0.5 },
    });
  });

  it("reads JSON over several lines, and takes no heartbeat for an event", async () => {
    await using at = await createSocketSetup();
    const events = answer({ deltas: ["Rain ", "falls."] }).map((text) =>
      JSON.parse(text.split("data: ")[1] ?? ""),
    );
    const lines = events.map((event) => JSON.stringify(event, undefined, 2).replaceAll("\n", "\ndata: "));
    at.double.respond(streamScript(lines.map((line) => `data: \n\ndata: ${line}\n\ndata: {}\n\n`)));
    assert.equal((await readCall(at)).text, "Rain falls.");
  });

  it("takes a greeting of the server for no answer", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(server, "listening");
    server.on("connection", (socket) => {
      socket.send(JSON.stringify({ type: "rate_limits.updated" }));
      socket.on("message", () => {
        for (const event of answer({ text: "Rain." })) socket.send(event.split("data: ")[1] ?? "");
      });
    });
    const { port } = server.address() as AddressInfo;
    const baseUrl = () => `http://127.0.0.1:${port}/v1`;
    await using at = await createProviderSetup({ baseUrl, transport: "websocket" });
    for (let call = 0; call < 2; call += 1) assert.equal((await readCall(at)).text, "Rain.");
    server.close();
  });

  it("does not travel over one if it runs in the background or is too large for a frame", async () => {
    await using at = await createSocketSetup();
    assert.equal((await readCall(at, { options: { background: true } })).thrown, undefined);
    const input = [{ ...question.input[0], parts: [{ type: "text", text: "a".repeat(16 * 1024 * 1024) }] }];
    assert.equal((await readCall(at, { input } as Partial<typeof question>)).thrown, undefined);
    assert.deepEqual(
      at.double.requests.map(({ method }) => method),
      ["POST", "POST"],
    );
    await callTimes(at, 1);
    assert.equal(at.double.requests.at(-1)?.method, "GET");
    assert.deepEqual(at.warnings, []);
  });
});

describe("a socket", () => {
  it("serves one call after another, and two calls at once have two", async () => {
    await using at = await createSocketSetup();
    await callTimes(at, 3);
    assert.deepEqual([at.double.calls, at.double.upgrades.length, at.connections()], [3, 1, 1]);
    const gate = createGate();
    at.double.respond([streamHead(), { waitFor: gate.opened }, ...says("Rain.").slice(1)]);
    const calls = [reading(at), reading(at)];
    await at.double.received(5);
    gate.open();
    for (const { ended } of calls) assert.equal(await ended, undefined);
    assert.deepEqual([at.double.upgrades.length, at.connections()], [2, 2]);
  });

  it("without a call is closed after 30 seconds", async () => {
    await using at = await createSocketSetup();
    await callTimes(at, 1);
    await at.clock.advance(29_999);
    assert.equal(at.connections(), 1);
    await at.clock.advance(1);
    assert.deepEqual([at.connections(), at.clock.sleeping], [0, 0]);
    await callTimes(at, 1);
    assert.equal(at.double.upgrades.length, 2);
  });

  it("is given up half an hour before the vendor would end it", async () => {
    await using at = await createSocketSetup();
    for (let minutes = 0; minutes < 30; minutes += 0.25) {
      await callTimes(at, 1);
      await at.clock.advance(15_000);
    }
    assert.equal(at.double.upgrades.length, 1);
    await callTimes(at, 1);
    assert.deepEqual([at.double.upgrades.length, at.connections()], [2, 1]);
  });

  it("that the vendor closes between two calls is replaced", async () => {
    await using at = await createSocketSetup();
    await callTimes(at, 1);
    at.double.hangUp();
    await until(() => at.connections() === 0);
    await callTimes(at, 1);
    assert.deepEqual([at.double.upgrades.length, at.clock.sleeping], [2, 1]);
  });

  it("that the vendor has closed without the news having come is replaced at once", async () => {
    await using at = await createSocketSetup();
    await callTimes(at, 1);
    at.double.hangUp();
    assert.equal((await readCall(at)).text, "Hello, how can I help?");
    assert.equal(at.double.upgrades.length, 2);
  });

  it("that the vendor closes just when a call is sent over it is replaced at once, unless it is new", async () => {
    await using at = await createSocketSetup();
    await callTimes(at, 1);
    const reset = [streamHead(), { reset: true }] as const;
    at.double.respond((_, index) => (index === 1 ? reset : says("Rain.")));
    assert.equal((await readCall(at)).text, "Rain.");
    assert.deepEqual([at.double.calls, at.double.upgrades.length], [3, 2]);
    at.double.respond(reset);
    assert.equal((await readCall(at)).code, "upstream_disconnected");
    assert.deepEqual([at.double.calls, at.double.upgrades.length], [5, 3]);
  });

  it("is closed by a frame that no call has asked for", async () => {
    await using at = await createSocketSetup();
    const gate = createGate();
    at.double.respond([...says("Rain."), { waitFor: gate.opened }, { write: frame({ type: "late" }) }]);
    await callTimes(at, 1);
    assert.equal(at.connections(), 1);
    gate.open();
    await until(() => at.connections() === 0);
  });

  it("that repeats the end of a call gives no other call that end, and sockets are not used again", async () => {
    await using at = await createSocketSetup();
    const second = createGate();
    const secret = frame({
      type: "response.done",
      response: { id: "resp_1", status: "completed", output: [] },
    });
    at.double.respond((_, index) =>
      index === 0
        ? [...says("For Ada."), { waitFor: second.opened }, { write: secret }, { hang: true }]
        : says("For Bob."),
    );
    await callTimes(at, 1);
    const call = reading(at);
    await at.double.received(2);
    second.open();
    assert.equal(await call.ended, undefined);
    const events = call.batches.flat();
    assert.equal(events.map((event) => (event.type === "text" ? event.text : "")).join(""), "For Bob.");
    assert.equal(JSON.stringify(events).includes("resp_1"), false);
    await callTimes(at, 1);
    assert.deepEqual([at.double.upgrades.length, at.connections()], [3, 0]);
  });

  it("is closed with the agents of the process", async () => {
    const at = await createSocketSetup();
    await callTimes(at, 1);
    await at[Symbol.asyncDispose]();
    assert.deepEqual([at.connections(), at.clock.sleeping], [0, 0]);
  });
});

it("without the setting, no call asks for a WebSocket", async () => {
  await using at = await createProviderSetup({ webSocket: true });
  await callTimes(at, 1);
  assert.equal(at.double.upgrades.length, 0);
});
