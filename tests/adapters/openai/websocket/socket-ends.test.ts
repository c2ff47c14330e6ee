import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { ProviderEvent } from "../../../../src/ports/provider.ts";
import { TroupeError } from "../../../../src/protocol/errors.ts";
import { answer } from "../../../doubles/answer.ts";
import { createGate, type Step } from "../../../doubles/script.ts";
import { streamHead, streamScript } from "../../../doubles/stream-script.ts";
import { until } from "../../../support/until.ts";
import { question, reading } from "../provider-setup.ts";
import { createSocketSetup, frame, readCall } from "./read-call.ts";

const events = answer({ deltas: ["Rain ", "falls."] });
/** Up to the first delta. */
const begun = events.slice(0, 5).join("");
const stop = new Error("stop");

describe("a socket that is closed without a terminal event", () => {
  const closes: readonly (readonly [string, readonly Step[]])[] = [
    ["in order", [{ end: true }]],
    ["without a close frame", [{ fin: true }]],
    ["by a reset", [{ reset: true }]],
  ];
  const moments: readonly (readonly [string, string, string])[] = [
    ["before any event", "", ""],
    ["after the first event", events[0] ?? "", ""],
    ["in the text", begun, "Rain "],
    ["before the last event", events.slice(0, -1).join(""), "Rain falls."],
  ];
  for (const [how, steps] of closes)
    for (const [when, write, shown] of moments)
      it(`is a broken connection and never an end: ${how}, ${when} (Q56)`, async () => {
        await using at = await createSocketSetup();
        at.double.respond([streamHead(), { write }, ...steps]);
        const { text, events: heard, thrown } = await readCall(at);
        assert.ok(thrown instanceof TroupeError);
        assert.deepEqual([thrown.code, thrown.safeToRepeat], ["upstream_disconnected", write === ""]);
        assert.equal(text, shown);
        assert.ok(heard.every(({ type }) => type !== "end"));
        assert.deepEqual([at.double.calls, at.connections(), at.clock.sleeping], [1, 0, 0]);
      });

  it("because the call was too large says so", async () => {
    await using at = await createSocketSetup();
    // A close frame with code 1009, by hand.
    at.double.respond([
      streamHead(),
      { writeRaw: Uint8Array.of(0x88, 2, 1009 >> 8, 1009 & 0xff) },
      { hang: true },
    ]);
    assert.equal((await readCall(at)).code, "context_length_exceeded");
  });
});

describe("a socket that has reached the vendor's hour (Q57)", () => {
  const told = { code: "websocket_connection_limit_reached", message: "Create a new connection." };
  const nested = { type: "error", status: 400, error: { type: "invalid_request_error", ...told } };
  for (const [form, limit] of [
    ["nested", nested],
    ["flat", { type: "error", ...told }],
  ] as const) {
    it(`is replaced, and the call is made again at once (${form})`, async () => {
      await using at = await createSocketSetup();
      at.double.respond((_, index) =>
        index === 1 ? [streamHead(), { write: frame(limit) }] : streamScript(events),
      );
      assert.equal((await readCall(at)).text, "Rain falls.");
      const { text, thrown, events: heard } = await readCall(at);
      assert.deepEqual([text, thrown], ["Rain falls.", undefined]);
      assert.equal(heard.filter(({ type }) => type === "started").length, 1);
      assert.deepEqual([at.double.calls, at.double.upgrades.length, at.connections()], [3, 2, 1]);
    });

    it(`is replaced once, not for ever (${form})`, async () => {
      await using at = await createSocketSetup();
      at.double.respond([streamHead(), { write: frame(limit) }]);
      const { thrown } = await readCall(at);
      assert.ok(thrown instanceof TroupeError);
      assert.deepEqual([thrown.code, thrown.safeToRepeat], ["upstream_disconnected", true]);
      assert.deepEqual([at.double.calls, at.double.upgrades.length, at.connections()], [2, 2, 0]);
    });

    it(`breaks an answer whose text was shown (${form})`, async () => {
      await using at = await createSocketSetup();
      at.double.respond([streamHead(), { write: begun }, { write: frame(limit) }]);
      const { code, text } = await readCall(at);
      assert.deepEqual([code, text, at.double.calls], ["upstream_disconnected", "Rain ", 1]);
    });
  }
});

describe("an abort of a call over a WebSocket", () => {
  it("before the start opens no socket", async () => {
    await using at = await createSocketSetup();
    assert.equal(await reading(at, AbortSignal.abort(stop)).ended, stop);
    assert.deepEqual([at.double.upgrades.length, at.connections(), at.clock.sleeping], [0, 0, 0]);
  });

  it("at any moment of connecting throws its reason and leaves no socket", async () => {
    for (let ticks = 0; ticks < 40; ticks += 1) {
      await using at = await createSocketSetup();
      at.double.respond([streamHead(), { hang: true }]);
      const controller = new AbortController();
      const call = reading(at, controller.signal);
      for (let tick = 0; tick < ticks; tick += 1) await (tick < 25 ? undefined : nextLoopTurn());
      controller.abort(stop);
      assert.equal(await call.ended, stop);
      // Before the upgrade is sent, Node keeps the connection for another request.
      await until(() => at.connections() === at.idleConnections());
      await until(() => at.double.upgrades.length === 0 || at.double.openConnections() === 0);
      assert.equal(at.clock.sleeping, 0);
    }
  });

  it("closes the socket, because the API knows no other way to stop", async () => {
    await using at = await createSocketSetup();
    at.double.respond([streamHead(), { write: begun }, { hang: true }]);
    const controller = new AbortController();
    const call = reading(at, controller.signal);
    await call.texts(1);
    controller.abort(stop);
    assert.equal(await call.ended, stop);
    assert.equal(at.connections(), 0);
    const [request] = at.double.requests;
    assert.ok(request !== undefined);
    await at.double.closed(request);
    at.double.respond(streamScript(events));
    assert.equal((await readCall(at)).text, "Rain falls.");
    assert.equal(at.double.upgrades.length, 2);
  });

  it("after the end keeps the socket", async () => {
    await using at = await createSocketSetup();
    const controller = new AbortController();
    assert.equal(await reading(at, controller.signal).ended, undefined);
    controller.abort(stop);
    assert.equal((await readCall(at)).thrown, undefined);
    assert.equal(at.double.upgrades.length, 1);
  });
});

describe("frames", () => {
  /** A server's frame of this type with a length of 64 bits. */
  const head = (type: number, bytes: number) => {
    const bytesOfHead = Buffer.alloc(10);
    bytesOfHead.set([0x80 | type, 127]);
    bytesOfHead.writeBigUInt64BE(BigInt(bytes), 2);
    return bytesOfHead;
  };
  for (const [what, writeRaw] of [
    ["that is not text", Buffer.concat([head(2, 2), Buffer.from("{}")])],
    ["larger than 16 MiB", head(1, 16 * 1024 * 1024 + 1)],
    ["of a type that does not exist", head(3, 0)],
  ] as const)
    it(`${what} end the call and the socket`, async () => {
      await using at = await createSocketSetup();
      at.double.respond([streamHead(), { write: begun }, { writeRaw }, { hang: true }]);
      const { code, text } = await readCall(at);
      assert.deepEqual([code, text, at.connections()], ["upstream_invalid", "Rain ", 0]);
    });

  it("are not read while nobody asks for them", async () => {
    await using at = await createSocketSetup();
    const delta = JSON.parse((events[4] ?? "").split("data: ")[1] ?? "");
    const large = frame({ ...delta, delta: "a".repeat(60_000) });
    const gate = createGate();
    at.double.respond([
      streamHead(),
      { write: begun },
      { waitFor: gate.opened },
      { repeat: [{ write: large }] },
    ]);
    const { signal } = new AbortController();
    const batches = at.provider.stream(question, { signal })[Symbol.asyncIterator]();
    await batches.next();
    gate.open();
    const written = () => at.double.requests[0]?.bytesWritten ?? 0;
    for (let quiet = 0, before = -1; quiet < 200; before = written()) {
      quiet = written() === before ? quiet + 1 : 0;
      await nextLoopTurn();
    }
    // The buffers of the system are full, and nothing more is taken.
    const full = written();
    const { value: batch = [] } = await batches.next();
    const taken = batch.reduce(
      (sum: number, event: ProviderEvent) => sum + (event.type === "text" ? event.text.length : 0),
      0,
    );
    assert.ok(taken > 0 && taken < 1_000_000, `${taken} characters of ${full} bytes`);
    await batches.return?.();
    assert.equal(at.connections(), 0);
  });
});
