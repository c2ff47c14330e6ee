import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRequestStore } from "../../src/react/request-store.ts";
import { eagerClient } from "./connected.ts";
import { fakeSockets } from "./fake-socket.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const url = "ws://troupe.lan/ws";
const data = { message: "Hello", persona_id: "skeptic" };

/** Simulates a page of plain HTTP: `randomUUID` and `subtle` exist only in secure contexts. */
function withoutSecureContext(): Disposable {
  const own = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  assert.ok(own !== undefined);
  const crypto = { getRandomValues: globalThis.crypto.getRandomValues.bind(globalThis.crypto) };
  Object.defineProperty(globalThis, "crypto", { value: crypto, configurable: true });
  return { [Symbol.dispose]: () => Object.defineProperty(globalThis, "crypto", own) };
}

describe("without a secure context", () => {
  it("the client names its requests", () => {
    using _ = withoutSecureContext();
    using client = eagerClient(url, { WebSocket: fakeSockets().WebSocket });
    const ids = Array.from({ length: 100 }, () => client.request("chat", data).id ?? "");
    for (const id of ids) assert.match(id, uuid);
    assert.equal(new Set(ids).size, 100);
  });

  it("the React hook names them too", () => {
    using _ = withoutSecureContext();
    const store = createRequestStore();
    const close = store.open({ url, WebSocket: fakeSockets().WebSocket });
    assert.match(store.send("chat", data), uuid);
    close();
  });
});
