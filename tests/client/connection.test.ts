import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ConnectionState, transition } from "../../src/client/connection-state.ts";
import { createTroupeClient, exponentialBackoff } from "../../src/client/index.ts";
import { closeReason, closeTable } from "../../src/protocol/closes.ts";
import { fakeSockets, manualTimers } from "./fake-socket.ts";

const opened = { type: "open" };
const pong = { type: "message", data: '{"type":"pong"}' };

function connectedParts() {
  const fake = fakeSockets();
  const timers = manualTimers();
  const clock = { nowMs: 50_000 };
  const client = createTroupeClient({
    url: "ws://server.test/ws",
    fetch: false,
    protocols: ["troupe", "troupe.token.secret"],
    WebSocket: fake.WebSocket,
    backoff: (attempt) => attempt * 1000,
    setTimer: timers.setTimer,
    now: () => clock.nowMs,
  });
  const states: ConnectionState[] = [];
  client.subscribe(() => states.push(client.state));
  return { client, clock, timers, states, sockets: fake.sockets, newest: () => fake.sockets.at(-1) };
}

describe("the connection", () => {
  it("is made when asked for, with its subprotocols", () => {
    const { client, sockets, newest } = connectedParts();
    assert.deepEqual(client.state, { name: "idle" });
    client.connect();
    client.connect();
    assert.deepEqual(client.state, { name: "connecting", attempt: 0 });
    newest()?.emit(opened);
    assert.deepEqual(client.state, { name: "open", attempt: 0 });
    client.connect();
    assert.deepEqual(
      sockets.map(({ url, protocols }) => ({ url, protocols })),
      [{ url: "ws://server.test/ws", protocols: ["troupe", "troupe.token.secret"] }],
    );
  });

  it("waits longer after every failure and starts afresh when the server speaks", () => {
    const { client, timers, states, newest } = connectedParts();
    client.connect();
    newest()?.emit({ type: "close", code: 1006, reason: "" });
    const loss = { code: 1006, reason: "" };
    assert.deepEqual(client.state, { name: "waiting", attempt: 1, retryAtMs: 51_000, loss });
    assert.deepEqual(timers.pending, [1000]);
    timers.fire();
    newest()?.emit(opened);
    newest()?.emit({ type: "close", code: 1012, reason: "The server restarts." });
    assert.deepEqual(timers.pending, [2000]);
    timers.fire();
    newest()?.emit(opened);
    newest()?.emit(pong);
    newest()?.emit({ type: "close", code: 4409, reason: "" });
    assert.deepEqual(timers.pending, [1000]);
    assert.deepEqual(
      states.map((state) => [state.name, "attempt" in state ? state.attempt : undefined]),
      [
        ["connecting", 0],
        ["waiting", 1],
        ["connecting", 1],
        ["open", 1],
        ["waiting", 2],
        ["connecting", 2],
        ["open", 2],
        ["open", 0],
        ["waiting", 1],
      ],
    );
  });

  it("waits as long as a server that stops asks for, once, and not for ever", () => {
    const { client, timers, newest } = connectedParts();
    client.connect();
    newest()?.emit(opened);
    newest()?.emit({ type: "close", code: 1012, reason: closeReason("restarting", 4_321) });
    assert.deepEqual(timers.pending, [4_321]);
    timers.fire();
    newest()?.emit({ type: "close", code: 1006, reason: "" });
    assert.deepEqual(timers.pending, [2_000]);
    timers.fire();
    newest()?.emit({ type: "close", code: 1012, reason: closeReason("restarting", 999_999_999) });
    assert.deepEqual(timers.pending, [600_000]);
  });

  it("can be had before the wait is over", () => {
    const { client, timers, sockets, newest } = connectedParts();
    client.connect();
    newest()?.emit({ type: "close", code: 1006 });
    client.connect();
    assert.equal(client.state.name, "connecting");
    assert.equal(sockets.length, 2);
    assert.deepEqual(timers.pending, [20_000]);
  });

  for (const [name, row] of Object.entries(closeTable)) {
    it(`${row.reconnect ? "comes back" : "stays closed"} after ${row.code} (${name})`, () => {
      const { client, newest } = connectedParts();
      client.connect();
      newest()?.emit(opened);
      newest()?.emit({ type: "close", code: row.code, reason: row.reason });
      assert.equal(client.state.name, row.reconnect ? "waiting" : "closed");
      assert.deepEqual("loss" in client.state && client.state.loss, { code: row.code, reason: row.reason });
    });
  }

  it("reconnects when the server asks for it, which is not shown to people", () => {
    const { client, newest } = connectedParts();
    client.connect();
    newest()?.emit(opened);
    newest()?.emit({ type: "close", code: 1012, reason: closeReason("restarting", 280) });
    const loss = { code: 1012, reason: closeTable.restarting.reason };
    assert.deepEqual(client.state, { name: "waiting", attempt: 1, retryAtMs: 50_280, loss });
  });

  it("reconnects after codes that are not in the table", () => {
    for (const code of [1001, 1005, 1006, 1011, 1013, 4999]) {
      const { client, newest } = connectedParts();
      client.connect();
      newest()?.emit({ type: "close", code });
      assert.equal(client.state.name, "waiting", String(code));
    }
  });

  it("closes for good", () => {
    const { client, timers, newest } = connectedParts();
    client.connect();
    newest()?.emit(opened);
    client.close();
    client.connect();
    assert.equal(client.state.name, "closed");
    assert.deepEqual(newest()?.closedWith, [1000]);
    assert.deepEqual(timers.pending, []);
  });

  it("reports an invalid address", () => {
    const client = createTroupeClient({ url: "nonsense", WebSocket: globalThis.WebSocket });
    client.connect();
    assert.equal(client.state.name, "closed");
    assert.match(client.state.name === "closed" ? client.state.loss.reason : "", /nonsense/);
  });
});

describe("the heartbeat", () => {
  it("asks every 20 s and takes any message for a sign of life", () => {
    const { client, timers, newest } = connectedParts();
    client.connect();
    newest()?.emit(opened);
    assert.deepEqual(newest()?.sent, []);
    for (let beat = 1; beat <= 3; beat += 1) {
      assert.deepEqual(timers.pending, [20_000]);
      timers.fire();
      assert.deepEqual(newest()?.sent, Array(beat).fill('{"type":"ping"}'));
      newest()?.emit(beat === 2 ? { type: "message", data: '{"type":"novelty"}' } : pong);
    }
    assert.equal(client.state.name, "open");
  });

  it("leaves a connection that stays silent, and hears no more of it", () => {
    const { client, timers, sockets, newest } = connectedParts();
    client.connect();
    newest()?.emit(opened);
    timers.fire();
    timers.fire();
    assert.equal(client.state.name, "waiting");
    assert.equal(client.state.name === "waiting" && client.state.loss.code, 4408);
    assert.deepEqual(sockets[0]?.closedWith, [1000]);
    timers.fire();
    newest()?.emit(opened);
    sockets[0]?.emit({ type: "close", code: 1000 });
    assert.equal(client.state.name, "open");
  });

  it("gives up on a connection that does not open", () => {
    const { client, timers, sockets } = connectedParts();
    client.connect();
    timers.fire();
    assert.equal(client.state.name, "waiting");
    assert.deepEqual(sockets[0]?.closedWith, [undefined]);
  });
});

describe("a machine that slept", () => {
  it("reads the messages that arrived meanwhile before it gives a connection up", () => {
    const { client, clock, timers, newest } = connectedParts();
    client.connect();
    newest()?.emit(opened);
    timers.fire();
    clock.nowMs += 3_600_000;
    timers.fire();
    assert.equal(client.state.name, "open");
    assert.deepEqual(timers.pending, [1_000]);
    newest()?.emit(pong);
    timers.fire();
    assert.equal(client.state.name, "open");
    timers.fire();
    assert.equal(client.state.name, "waiting");
  });

  it("gives it up a second after waking if nothing arrived", () => {
    const { client, clock, timers } = connectedParts();
    client.connect();
    clock.nowMs += 3_600_000;
    timers.fire();
    assert.equal(client.state.name, "connecting");
    timers.fire();
    assert.equal(client.state.name, "waiting");
  });
});

describe("the transitions", () => {
  const loss = { code: 1006, reason: "" };
  const states: ConnectionState[] = [
    { name: "idle" },
    { name: "connecting", attempt: 1 },
    { name: "open", attempt: 1 },
    { name: "waiting", attempt: 1, retryAtMs: 5, loss },
    { name: "closed", loss },
  ];
  const events = [
    { type: "connect" },
    { type: "opened" },
    { type: "heard" },
    { type: "lost", loss, retryAtMs: 9 },
    { type: "refused", loss },
    { type: "close", loss },
  ] as const;
  const expected: Record<ConnectionState["name"], readonly string[]> = {
    idle: ["connecting", "-", "-", "-", "-", "closed"],
    connecting: ["-", "open", "-", "waiting", "closed", "closed"],
    open: ["-", "-", "open", "waiting", "closed", "closed"],
    waiting: ["connecting", "-", "-", "-", "-", "closed"],
    closed: ["-", "-", "-", "-", "-", "-"],
  };
  for (const state of states) {
    it(`out of ${state.name} are exactly these`, () => {
      const after = events.map((event) => {
        const next = transition(state, event);
        return next === state ? "-" : next.name;
      });
      assert.deepEqual(after, expected[state.name]);
    });
  }
});

describe("the backoff", () => {
  const waits = (random: number, options = {}) =>
    Array.from({ length: 8 }, (_, index) =>
      exponentialBackoff({ random: () => random, ...options })(index + 1),
    );

  it("doubles from half a second to 15 s, in the upper half of each step", () => {
    assert.deepEqual(waits(0), [250, 500, 1000, 2000, 4000, 7500, 7500, 7500]);
    assert.deepEqual(waits(0.5), [375, 750, 1500, 3000, 6000, 11_250, 11_250, 11_250]);
    assert.deepEqual(waits(0, { firstMs: 10, longestMs: 40 }), [5, 10, 20, 20, 20, 20, 20, 20]);
  });

  it("stays finite however often it fails", () => {
    assert.equal(exponentialBackoff({ random: () => 0 })(100_000), 7500);
  });
});
