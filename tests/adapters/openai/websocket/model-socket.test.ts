import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ModelSocket } from "../../../../src/adapters/openai/websocket/model-socket.ts";
import { createUpstreamAgents, HttpCall } from "../../../../src/adapters/upstream/upstream-call.ts";
import { createGate } from "../../../doubles/script.ts";
import { httpError, streamHead, streamScript } from "../../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../../doubles/upstream-double.ts";

async function setUp() {
  await using stack = new AsyncDisposableStack();
  const double = stack.use(await createUpstreamDouble({ webSocket: true }));
  const agents = stack.use(createUpstreamAgents());
  const url = new URL(`${double.baseUrl}/responses`);
  const owned = stack.move();
  return {
    ...{ double, agents, url },
    dial: () => new ModelSocket({ url, headers: {}, agents, nowMs: 0 }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Everything that a call hears, in order. */
function listen(socket: ModelSocket): string[] {
  const heard: string[] = [];
  socket.listen({
    onFrame: (data) => heard.push(data.toString()),
    onClosed: () => heard.push("closed"),
  });
  return heard;
}

describe("a socket to a vendor", () => {
  it("tells a call that listens late the frames and the end that came before", async () => {
    await using at = await setUp();
    at.double.respond([streamHead(), { write: 'data: {"a":1}\n\ndata: {"b":2}\n\n' }]);
    const socket = at.dial();
    assert.equal(await socket.opened, undefined);
    socket.send("{}");
    await socket.closed;
    assert.deepEqual(listen(socket), ['{"a":1}', '{"b":2}', "closed"]);
  });

  it("is closed if more than 64 KiB come before a call listens", async () => {
    await using at = await setUp();
    const large = "a".repeat(40_000);
    at.double.respond([streamHead(), { repeat: [{ write: `data: ${large}\n\n` }] }]);
    const socket = at.dial();
    await socket.opened;
    socket.send("{}");
    await socket.closed;
    assert.deepEqual(listen(socket), [large, large, "closed"]);
  });

  it("whose upgrade was refused leaves the connection to the next call over HTTP", async () => {
    await using at = await setUp();
    at.double.refuseUpgrades(httpError(404, "no"));
    const socket = at.dial();
    assert.equal((await socket.opened)?.status, 404);
    const gate = createGate();
    at.double.respond([{ waitFor: gate.opened }, ...streamScript([])]);
    const call = new HttpCall(at.agents);
    const answered = call.fetch(at.url, { method: "POST", body: "{}" });
    await at.double.received(1);
    assert.equal(at.double.openConnections(), 1);
    socket.terminate();
    gate.open();
    assert.equal((await answered).status, 200);
    await call.close();
  });
});
