import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readAhead } from "../../../src/chat/pacing/paced-source.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("reading ahead", () => {
  it("asks for batches as they arrive, even without a reader, and gives the waiting ones as one", async () => {
    let given = 0;
    async function* source() {
      for (; given < 5; given += 1) {
        await turn();
        yield [given];
      }
    }
    const ahead = readAhead(source(), () => 1);
    assert.deepEqual(await ahead.next(), { done: false, value: [0] });
    for (let count = 0; count < 20; count += 1) await turn();
    assert.equal(given, 5);
    assert.deepEqual(await ahead.next(), { done: false, value: [1, 2, 3, 4] });
    assert.equal((await ahead.next()).done, true);
  });

  it("yields everything that arrived before it throws its source's error", async () => {
    async function* source() {
      yield [1];
      throw new Error("broken");
    }
    const seen: number[] = [];
    await assert.rejects(async () => {
      for await (const batch of readAhead(source(), () => 1)) seen.push(...batch);
    }, /broken/);
    assert.deepEqual(seen, [1]);
  });

  it("stops asking while too much waits, and goes on when it is taken", async () => {
    let given = 0;
    async function* source() {
      for (;;) {
        given += 1;
        yield [given];
        if (given % 100 === 0) await turn();
      }
    }
    const ahead = readAhead(source(), () => 1);
    await ahead.next();
    for (let count = 0; count < 100; count += 1) await turn();
    const waiting = given;
    assert.ok(waiting < 4_200);
    assert.equal((await ahead.next()).value?.at(-1), waiting);
    for (let count = 0; count < 100; count += 1) await turn();
    assert.ok(given > waiting);
    await ahead.return(undefined);
  });

  it("stops asking while few values are too large", async () => {
    let given = 0;
    async function* source() {
      for (;;) {
        given += 1;
        yield ["x".repeat(100_000)];
      }
    }
    const ahead = readAhead(source(), (text) => text.length);
    await ahead.next();
    for (let count = 0; count < 100; count += 1) await turn();
    assert.equal(given, 1 + 3);
    await ahead.return(undefined);
  });

  it("ends its source when it is left, and waits for its end", async () => {
    let isClosed = false;
    async function* source() {
      try {
        for (;;) {
          await turn();
          yield [1];
        }
      } finally {
        await turn();
        isClosed = true;
      }
    }
    const ahead = readAhead(source(), () => 1);
    await ahead.next();
    await ahead.return(undefined);
    assert.equal(isClosed, true);
  });
});
