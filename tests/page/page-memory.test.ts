import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPageMemory } from "../../src/page/page-memory.ts";

const server = "ws://localhost:8000/ws";
const asked = (id: string, question = "What?") =>
  ({ id, type: "chat", question, personaIds: ["skeptic"] }) as const;

/** Storage that holds one text of at most `maxChars` characters. */
function storageOf(kept = new Map<string, string>(), maxChars = Number.POSITIVE_INFINITY) {
  const storage = {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem(name: string, value: string) {
      if (value.length > maxChars) throw new DOMException("full", "QuotaExceededError");
      kept.set(name, value);
    },
  };
  return { kept, storage: () => storage as Storage };
}

describe("the page's memory", () => {
  it("knows the requests of each server after a reload, in order, each once", () => {
    const { storage } = storageOf();
    const memory = createPageMemory(storage);
    memory.remember(server, asked("a"));
    memory.remember("ws://other/ws", asked("b"));
    memory.remember(server, asked("c"));
    memory.remember(server, asked("a", "What again?"));
    const again = createPageMemory(storage);
    assert.deepEqual(again.asked(server), [asked("a", "What again?"), asked("c")]);
    assert.deepEqual(again.asked("ws://other/ws"), [asked("b")]);
    assert.deepEqual(again.asked("ws://unknown/ws"), []);
    assert.deepEqual(again.asked("__proto__"), []);
  });

  it("is bounded in requests, servers and the length of questions", () => {
    const { kept, storage } = storageOf();
    const memory = createPageMemory(storage);
    for (let count = 0; count < 100; count += 1) {
      memory.remember(server, asked(`id-${count}`, "x".repeat(1_000_000)));
      memory.remember(`ws://server-${count}/ws`, asked("one", "x".repeat(1_000_000)));
    }
    assert.equal(memory.asked(server).length, 20);
    assert.equal(memory.asked(server).at(-1)?.id, "id-99");
    assert.equal(memory.asked("ws://server-0/ws").length, 0);
    assert.equal(memory.asked("ws://server-99/ws").length, 1);
    const chars = [...kept.values()].join("").length;
    assert.ok(chars < 200_000, `${chars} characters`);
  });

  it("knows whether the page was connected, and to which address it was changed", () => {
    const { storage } = storageOf();
    const memory = createPageMemory(storage);
    assert.equal(memory.connection(server), undefined);
    memory.rememberConnection(server, "ws://other/ws", true);
    memory.remember(server, asked("a"));
    assert.deepEqual(createPageMemory(storage).connection(server), {
      page: server,
      server: "ws://other/ws",
      isConnected: true,
    });
    // Another copy of the page has another address written into it.
    assert.equal(createPageMemory(storage).connection("ws://localhost:9000/ws"), undefined);
  });

  for (const text of [
    "",
    "{",
    "null",
    "7",
    "[]",
    '{"asked": null}',
    '{"asked": {"ws://localhost:8000/ws": "all"}}',
    '{"asked": {"ws://localhost:8000/ws": [null, 7, {"id": 1}, {"id": "a", "type": "song", "question": "", "personaIds": []}]}}',
    '{"asked": {"ws://localhost:8000/ws": [{"id": "a", "type": "chat", "question": "", "personaIds": [1]}]}}',
    '{"connection": {"page": "ws://localhost:8000/ws"}}',
  ]) {
    it(`starts empty over foreign text: ${text.slice(0, 50)}`, () => {
      const { storage } = storageOf(new Map([["troupe-page", text]]));
      const memory = createPageMemory(storage);
      assert.deepEqual([memory.asked(server), memory.connection(server)], [[], undefined]);
      memory.remember(server, asked("a"));
      assert.deepEqual(memory.asked(server), [asked("a")]);
    });
  }

  for (const [name, storage] of [
    [
      "switched off",
      () => {
        throw new DOMException("refused", "SecurityError");
      },
    ],
    ["missing", () => undefined as unknown as Storage],
    ["full", storageOf(new Map(), 10).storage],
  ] as const) {
    it(`knows nothing if storage is ${name}, and nothing fails`, () => {
      const memory = createPageMemory(storage);
      memory.remember(server, asked("a"));
      memory.rememberConnection(server, server, true);
      assert.deepEqual([memory.asked(server), memory.connection(server)], [[], undefined]);
    });
  }
});
