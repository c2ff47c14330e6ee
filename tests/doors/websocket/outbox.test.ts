import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextImmediate } from "node:timers/promises";
import { Outbox } from "../../../src/doors/websocket/outbox.ts";
import { SocketEndedError } from "../../../src/ports/socket.ts";
import { heldSocket } from "./held-socket.ts";

/** Messages of 1,024 characters with the name of their sender; `made` is the number encoded so far. */
function sender(name: string, count: number) {
  const made = { count: 0 };
  function* texts() {
    for (let index = 0; index < count; index += 1) {
      made.count += 1;
      yield `${name}${index}`.padEnd(1_024, ".");
    }
  }
  return { made, texts: texts() };
}

/** Settles as the parcel does. */
function put(outbox: Outbox, from: Iterable<string>): Promise<void> {
  const texts = from[Symbol.iterator]();
  return new Promise((resolve, reject) => {
    outbox.put({
      next: () => texts.next().value,
      onTaken: (fault) => (fault === undefined ? resolve() : reject(fault)),
    });
  });
}

const charsOf = (texts: readonly string[]) => texts.reduce((sum, text) => sum + text.length, 0);

describe("the outbox of a connection", () => {
  it("encodes no more than one write holds, however many send and however much they have", async () => {
    const { socket, writes, take } = heldSocket();
    const outbox = new Outbox(socket);
    const senders = Array.from({ length: 128 }, (_, index) => sender(`s${index}-`, 256));
    const all = Promise.all(senders.map(({ texts }) => put(outbox, texts)));
    const encoded = () => senders.reduce((sum, { made }) => sum + made.count, 0);
    const most = 20;
    await nextImmediate();
    assert.ok(encoded() <= most, `${encoded()} messages of 1 KiB are encoded`);
    for (let taken = 0; taken < 100; taken += 1) {
      await take();
      assert.equal(encoded(), writes.flat().length);
      assert.ok(charsOf(writes.at(-1) ?? []) <= most * 1_024);
    }
    for (let rest = encoded(); rest < 128 * 256; rest = encoded()) await take();
    await take();
    await all;
    assert.equal(writes.flat().length, 128 * 256);
  });

  it("lets the loop turn between two writes that are taken at once", async () => {
    let writes = 0;
    const socket = {
      send() {
        writes += 1;
        return true;
      },
      close: () => undefined,
    };
    const all = put(new Outbox(socket), sender("fast", 64).texts);
    for (let turn = 1; turn <= 3; turn += 1) {
      await nextImmediate();
      assert.ok(writes <= turn + 1, `${writes} writes in ${turn} turns of the loop`);
    }
    await all;
  });

  it("gives everyone a turn: a short message waits for two writes, not for all that another has", async () => {
    const { socket, writes, take } = heldSocket();
    const outbox = new Outbox(socket);
    const long = put(outbox, sender("long", 1_000).texts);
    await nextImmediate();
    const short = put(outbox, ["short"]);
    await take();
    assert.ok(writes[1]?.includes("short"));
    await take();
    await short;
    for (let left = 0; left < 1_000; left += 1) await take();
    await long;
    const order = writes
      .flat()
      .filter((text) => text !== "short")
      .map((text) => Number(/\d+/.exec(text)?.[0]));
    assert.deepEqual(
      order,
      order.map((_, index) => index),
    );
  });

  it("sends waiting messages together in one write", async () => {
    const { socket, writes, take } = heldSocket();
    const outbox = new Outbox(socket);
    const putAll = (...texts: string[]) => texts.map((text) => put(outbox, [text]));
    const first = putAll("a", "b");
    await nextImmediate();
    const second = putAll("c", "d", "e");
    await take();
    await take();
    await Promise.all([...first, ...second]);
    assert.deepEqual(writes, [
      ["a", "b"],
      ["c", "d", "e"],
    ]);
  });

  it("sends a message that is longer than a write on its own", async () => {
    const { socket, writes, take } = heldSocket();
    const outbox = new Outbox(socket);
    const huge = "x".repeat(2_000_000);
    const sent = put(outbox, [huge, "next"]);
    await nextImmediate();
    assert.deepEqual(writes, [[huge]]);
    await take();
    assert.deepEqual(writes[1], ["next"]);
    await take();
    await sent;
  });

  it("rejects all waiting senders when the connection has ended, and goes on after a message that cannot be made", async () => {
    const { socket, writes, take, break: breakSocket } = heldSocket();
    const outbox = new Outbox(socket);
    const broken = put(
      outbox,
      (function* () {
        yield "before";
        throw new Error("not a message");
      })(),
    );
    const after = put(outbox, ["after"]);
    await assert.rejects(broken, /not a message/);
    assert.deepEqual(writes, [["before", "after"]]);
    await take();
    await after;
    const lost = [put(outbox, ["lost"]), put(outbox, ["lost too"])].map((sent) =>
      assert.rejects(sent, SocketEndedError),
    );
    breakSocket();
    await Promise.all(lost);
  });
});
