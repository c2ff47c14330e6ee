import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Bus, BusOptions } from "../../../src/adapters/postgres/nodes/bus.ts";
import type { NodeMessage, SentRow } from "../../../src/adapters/postgres/nodes/messages.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { createFaultyProxy, type FaultyProxy } from "./faulty-proxy.ts";

/** A kind of bus, and its server. */
export interface BusKind {
  /** The URL of the server. */
  readonly url: () => string;
  readonly open: (url: string, options: BusOptions) => Bus;
  /** Sends any payload to all nodes, as another program could. */
  readonly publish: (payload: string) => Promise<unknown>;
  /** The maximum of a payload, bytes. */
  readonly maxBytes: number;
  readonly carriesRows: boolean;
}

/** One message of each type, without probes. */
const messages: readonly NodeMessage[] = [
  { type: "watch", turns: [1, 2] },
  { type: "heads", heads: [[1, 7]] },
  { type: "rows", rows: [[1, 6, 7, 3, '[{"type":"text"}]']] },
  { type: "unwatch", turns: [2] },
  { type: "cancel", turn: 1, personaId: null, call: 3 },
  { type: "cancelled", to: 1, call: 3, refusal: "request_ended" },
  { type: "began", turn: 5, conversationId: "ümlaut 😀" },
  { type: "left" },
  { type: "revoked", keyId: "key" },
];

/** Opens nodes on a clock of the test, each behind a proxy of its own. */
async function openNodes(kind: Pick<BusKind, "url" | "open">, count: number) {
  await using opening = new AsyncDisposableStack();
  const clock = createTestClock();
  const all: { readonly proxy: FaultyProxy; readonly heard: NodeMessage[]; readonly bus: Bus }[] = [];
  for (let incarnation = 1; incarnation <= count; incarnation += 1) {
    const proxy = opening.use(await createFaultyProxy(kind.url()));
    const heard: NodeMessage[] = [];
    const onMessage = (message: NodeMessage) => {
      if (message.type !== "probe") heard.push(message);
    };
    const bus = opening.use(kind.open(proxy.url, { clock, incarnation, onMessage }));
    all.push({ proxy, heard, bus });
  }
  /** Lets time pass, in which the servers can answer, until it is so. */
  async function until(isSo: () => boolean): Promise<void> {
    for (let tries = 0; !isSo(); tries += 1) {
      assert.ok(tries < 5_000, "it does not come about");
      await clock.advance(100);
      await pause(5);
    }
  }
  const opened = opening.move();
  await until(() => all.every(({ bus }) => bus.isHeard));
  return { all, until, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** Sends a message again and again until it arrives: a hint may be lost. */
async function untilHeard(
  { until }: { until: (isSo: () => boolean) => Promise<void> },
  from: Bus,
  heard: NodeMessage[],
) {
  heard.length = 0;
  await until(() => {
    from.send({ type: "left" });
    return heard.length > 0;
  });
}

/** The contract of `Bus`, over a real server. */
export function describeBus(name: string, kind: BusKind): void {
  describe(`a bus by ${name}`, () => {
    it("carries every type of message to all other nodes, once and in order, and not back", async () => {
      await using nodes = await openNodes(kind, 3);
      const [first, second, third] = nodes.all;
      assert.ok(first && second && third);
      for (const message of messages) first.bus.send(message);
      await nodes.until(
        () => second.heard.length >= messages.length && third.heard.length >= messages.length,
      );
      third.bus.send({ type: "left" });
      await nodes.until(() => first.heard.length > 0 && second.heard.length > messages.length);
      assert.deepEqual(first.heard, [{ type: "left" }]);
      assert.deepEqual(second.heard, [...messages, { type: "left" }]);
      assert.deepEqual(third.heard, messages);
    });

    it("carries a message for one node to it", async () => {
      await using nodes = await openNodes(kind, 2);
      const [first, second] = nodes.all;
      assert.ok(first && second);
      first.bus.send({ type: "left" }, 3);
      first.bus.send({ type: "revoked", keyId: "key" }, 2);
      await nodes.until(() => second.heard.some(({ type }) => type === "revoked"));
      assert.deepEqual(first.heard, []);
    });

    it("carries long lists, in several messages", async () => {
      await using nodes = await openNodes(kind, 2);
      const [first, second] = nodes.all;
      assert.ok(first && second);
      const turns = Array.from({ length: 1_001 }, (_, index) => 2 ** 45 + index);
      first.bus.send({ type: "watch", turns });
      const told = () => second.heard.flatMap((message) => (message.type === "watch" ? message.turns : []));
      await nodes.until(() => told().length === turns.length);
      assert.deepEqual(told(), turns);
    });

    if (kind.carriesRows)
      it("carries many rows, in several messages, without those that are too large", async () => {
        await using nodes = await openNodes(kind, 2);
        const [first, second] = nodes.all;
        assert.ok(first && second);
        const rows = Array.from({ length: 500 }, (_, seq): SentRow => [7, seq, seq, 3, "s".repeat(1_000)]);
        const tooLarge: SentRow = [8, 1, 1, 3, "s".repeat(2 * kind.maxBytes)];
        first.bus.send({ type: "rows", rows: [...rows.slice(0, 34), tooLarge] });
        first.bus.send({ type: "rows", rows });
        const brought = () =>
          second.heard.flatMap((message) => (message.type === "rows" ? message.rows : []));
        await nodes.until(() => brought().length >= rows.length + 34);
        assert.deepEqual(brought().slice(-rows.length), rows);
        assert.ok(!brought().some(([turn]) => turn === 8));
      });

    it("ignores payloads of other programs, of other versions, and too large ones", async () => {
      await using nodes = await openNodes(kind, 2);
      const [first, second] = nodes.all;
      assert.ok(first && second);
      const tooLong = { from: 9, message: { type: "revoked", keyId: "k".repeat(2 * kind.maxBytes) } };
      const foreign = ["", "{", "null", '{"from":9}', '{"from":9,"message":{"type":"dance"}}'];
      const wrong = [
        '{"from":"9","message":{"type":"left"}}',
        '{"from":9,"message":{"type":"watch","turns":[1.5]}}',
      ];
      for (const payload of [...foreign, ...wrong]) await kind.publish(payload);
      await kind.publish(JSON.stringify(tooLong)).catch(() => undefined);
      first.bus.send(tooLong.message as NodeMessage);
      await kind.publish('{"from":9,"message":{"type":"left","more":1}}');
      await nodes.until(() => second.heard.length > 0);
      assert.deepEqual(second.heard, [{ type: "left" }]);
    });

    it("connects again after a break, and after a silence, also of one way only", async () => {
      await using nodes = await openNodes(kind, 2);
      const [first, second] = nodes.all;
      assert.ok(first && second);
      second.proxy.cut();
      await untilHeard(nodes, first.bus, second.heard);
      await untilHeard(nodes, second.bus, first.heard);
      second.proxy.swallow();
      await nodes.until(() => !second.bus.isHeard);
      await untilHeard(nodes, first.bus, second.heard);
      assert.equal(first.bus.isHeard, true);
      second.proxy.freeze();
      await nodes.until(() => !second.bus.isHeard);
      second.proxy.thaw();
      await nodes.until(() => second.bus.isHeard);
      await untilHeard(nodes, second.bus, first.heard);
    });

    it("loses the messages of a long silence and keeps no more than a bound of them", async () => {
      await using nodes = await openNodes(kind, 2);
      const [first, second] = nodes.all;
      assert.ok(first && second);
      first.proxy.freeze();
      const conversationId = "c".repeat(7_000);
      const before = process.memoryUsage.rss();
      for (let turn = 1; turn <= 40_000; turn += 1) first.bus.send({ type: "began", turn, conversationId });
      // 280 MB were sent.
      assert.ok(process.memoryUsage.rss() - before < 140_000_000);
      await nodes.until(() => !first.bus.isHeard);
      first.proxy.thaw();
      await nodes.until(() => first.bus.isHeard);
      await untilHeard(nodes, first.bus, second.heard);
    });

    it("closes at once, and takes messages after that without an effect", async () => {
      await using nodes = await openNodes(kind, 2);
      const [first, second] = nodes.all;
      assert.ok(first && second);
      first.proxy.freeze();
      await first.bus[Symbol.asyncDispose]();
      first.bus.send({ type: "left" });
      assert.equal(first.bus.isHeard, false);
    });
  });
}
