import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTroupeClient, type TroupeClientOptions, TroupeRequestError } from "../../src/client/index.ts";
import { fakeSockets, manualTimers } from "./fake-socket.ts";
import { scriptedFetch } from "./scripted-fetch.ts";

const gone = { type: "close", code: 1006, reason: "" };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function parts(options: Partial<TroupeClientOptions> = {}) {
  const fake = fakeSockets();
  const timers = manualTimers();
  const client = createTroupeClient({
    ...{ url: "ws://server.test/ws", WebSocket: fake.WebSocket, fetch: false },
    ...{ backoff: (attempt) => attempt * 1_000, setTimer: timers.setTimer, now: () => 50_000 },
    ...options,
  });
  return { client, timers, sockets: fake.sockets, newest: () => fake.sockets.at(-1) };
}

const refusal = (code: string) => ({ code, message: `Refused: ${code}.` });

describe("an address that is asked for", () => {
  it("is asked for before every attempt, and so are the subprotocols", async () => {
    let tickets = 0;
    const { client, timers, sockets, newest } = parts({
      url: async () => `ws://server.test/ws?ticket=${++tickets}`,
      protocols: () => ["troupe", `n${tickets}`],
    });
    client.connect();
    assert.deepEqual([client.state.name, sockets.length], ["connecting", 0]);
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await turn();
      newest()?.emit(attempt === 2 ? { type: "open" } : gone);
      if (attempt === 2) newest()?.emit(gone);
      await turn();
      timers.fire();
    }
    await turn();
    const urls = [1, 2, 3, 4].map((ticket) => `ws://server.test/ws?ticket=${ticket}`);
    assert.deepEqual(
      sockets.map(({ url }) => url),
      urls,
    );
    assert.deepEqual(newest()?.protocols?.[0], "troupe");
  });

  it("that cannot be had fails the attempt, which is tried again", async () => {
    const faults = [
      new Error("No network."),
      "odd",
      new TroupeRequestError({ code: "lost", message: "Later.", retryable: true, retryAfterMs: 7_000 }),
    ];
    const { client, timers, sockets } = parts({
      url() {
        const fault = faults.shift();
        if (fault !== undefined) throw fault;
        return "ws://server.test/ws";
      },
    });
    client.connect();
    for (const [wait, words] of [
      [1_000, /No network/],
      [2_000, /odd/],
      [7_000, /^Later\.$/],
    ] as const) {
      await turn();
      assert.ok(client.state.name === "waiting");
      assert.match(client.state.loss.reason, words);
      assert.deepEqual(timers.pending, [wait]);
      timers.fire();
    }
    await turn();
    assert.equal(sockets.length, 1);
  });

  it("ends the attempts with a refusal that is no accident", async () => {
    const failure = { code: "unauthenticated", message: "Log in.", retryable: false } as const;
    const { client, sockets } = parts({ url: () => Promise.reject(new TroupeRequestError(failure)) });
    const request = client.request("chat", { message: "Hello", persona_id: "skeptic" });
    await assert.rejects(request.done, { name: "TroupeRequestError", ...failure });
    assert.deepEqual(client.state, {
      name: "closed",
      loss: { code: 1006, reason: "Log in.", error: failure },
    });
    assert.equal(sockets.length, 0);
  });

  it("is not used once the attempt is given up or the client closed", async () => {
    const late = Promise.withResolvers<string>();
    const { client, timers, sockets } = parts({ url: () => late.promise });
    client.connect();
    timers.fire();
    assert.equal(client.state.name, "waiting");
    client.close();
    late.resolve("ws://server.test/ws");
    await turn();
    assert.equal(sockets.length, 0);
  });
});

describe("an attempt that did not open", () => {
  for (const [status, sent, code] of [
    [401, refusal("unauthenticated"), "unauthenticated"],
    [403, refusal("forbidden_origin"), "forbidden_origin"],
    [403, refusal("forbidden_proxy"), "forbidden_proxy"],
    [403, refusal("constructor"), "forbidden"],
    [403, "<html>", "forbidden"],
    [401, "Proxy login", "unauthenticated"],
  ] as const) {
    it(`ends all with ${code} after ${status} ${JSON.stringify(sent)}`, async () => {
      const { fetch, asked } = scriptedFetch({ status, body: sent });
      const { client, timers, newest } = parts({ fetch });
      const request = client.request("chat", { message: "Hello", persona_id: "skeptic" });
      const followed = client.follow("c-1")[Symbol.asyncIterator]().next();
      newest()?.emit({ type: "error" });
      newest()?.emit(gone);
      assert.deepEqual(client.state, { name: "connecting", attempt: 0 });
      await assert.rejects(request.done, { name: "TroupeRequestError", code, retryable: false });
      await assert.rejects(followed, { code });
      const loss = "loss" in client.state ? client.state.loss : undefined;
      assert.deepEqual([client.state.name, loss?.error?.code], ["closed", code]);
      if (typeof sent !== "string") assert.equal(loss?.reason, sent.message);
      assert.deepEqual([timers.pending, asked.length], [[], 1]);
    });
  }

  it("waits as long as 429 and 503 say, and not for ever", async () => {
    const busy = (status: number, after: string) => ({
      status,
      body: refusal("busy"),
      headers: { "retry-after": after },
    });
    const { fetch } = scriptedFetch(busy(503, "7"), busy(429, "999999999"), busy(503, "soon"), {
      status: 421,
      body: refusal("unserved_host"),
    });
    const { client, timers, newest } = parts({ fetch });
    client.connect();
    for (const [wait, words] of [
      [7_000, /busy/],
      [600_000, /busy/],
      [3_000, /busy/],
      [4_000, /unserved_host/],
    ] as const) {
      newest()?.emit(gone);
      await turn();
      assert.deepEqual(timers.pending, [wait]);
      assert.match(client.state.name === "waiting" ? client.state.loss.reason : "", words);
      timers.fire();
    }
  });

  it("is an accident after every other answer", async () => {
    const long = { status: 401, body: "x".repeat(5_000), headers: { "content-type": "application/json" } };
    const broken = { status: 403, body: "{", headers: { "content-type": "application/json" } };
    const { fetch, asked } = scriptedFetch(
      { status: 426 },
      { status: 200, body: {} },
      { status: 404 },
      { status: 500 },
      new Error("offline"),
      broken,
    );
    const { client, timers, newest } = parts({ fetch });
    client.connect();
    for (let attempt = 1; attempt <= 6; attempt += 1) {
      newest()?.emit(gone);
      await turn();
      assert.ok(client.state.name === "waiting", String(attempt));
      assert.deepEqual(client.state.loss, { code: 1006, reason: "" });
      timers.fire();
    }
    // One HTTP question for each failed attempt.
    assert.equal(asked.length, 6);
    const unread = parts({ fetch: scriptedFetch(long).fetch });
    unread.client.connect();
    unread.newest()?.emit(gone);
    await turn();
    assert.equal(
      unread.client.state.name === "closed" && unread.client.state.loss.reason,
      "The server refused with 401.",
    );
  });

  it("asks with the key of the subprotocol, by HTTP, and without its ticket", async () => {
    const rows = [
      [
        "ws://server.test/a/ws",
        ["troupe", "troupe.token.k"],
        "http://server.test/a/ws",
        { authorization: "Bearer k" },
      ],
      ["wss://server.test:8/ws?ticket=t&x=1#y", [], "https://server.test:8/ws?x=1", {}],
      ["wss://server.test/ws", ["troupe.token.k", "troupe.token.l"], "https://server.test/ws", {}],
    ] as const;
    for (const [url, protocols, expected, headers] of rows) {
      const { fetch, asked } = scriptedFetch({ status: 426 });
      const { client, newest } = parts({ fetch, url, protocols });
      client.connect();
      newest()?.emit(gone);
      await turn();
      assert.deepEqual([asked[0]?.url, asked[0]?.headers, asked[0]?.method], [expected, headers, "GET"]);
    }
  });

  it("with a ticket is tried again with another one, if there can be one", async () => {
    const { fetch } = scriptedFetch({ status: 401, body: refusal("unauthenticated") });
    const url = "ws://server.test/ws?ticket=old";
    const fresh = parts({ fetch, url: () => url });
    fresh.client.connect();
    await turn();
    fresh.newest()?.emit(gone);
    await turn();
    assert.ok(fresh.client.state.name === "waiting");
    assert.match(fresh.client.state.loss.reason, /ticket/);
    const fixed = parts({ fetch, url });
    fixed.client.connect();
    fixed.newest()?.emit(gone);
    await turn();
    assert.equal(
      fixed.client.state.name === "closed" && fixed.client.state.loss.error?.code,
      "unauthenticated",
    );
  });

  it("is not asked about after it was given up, was open, or was closed for good", async () => {
    const { fetch, asked } = scriptedFetch("never");
    const { client, timers, newest } = parts({ fetch });
    client.connect();
    newest()?.emit(gone);
    assert.equal(asked[0]?.signal?.aborted, false);
    timers.fire();
    assert.equal(client.state.name, "waiting");
    assert.equal(asked[0]?.signal?.aborted, true);
    timers.fire();
    newest()?.emit({ type: "open" });
    newest()?.emit(gone);
    assert.deepEqual([client.state.name, asked.length], ["waiting", 1]);
    timers.fire();
    newest()?.emit({ type: "close", code: 1008, reason: "" });
    assert.deepEqual([client.state.name, asked.length], ["closed", 1]);
  });
});
