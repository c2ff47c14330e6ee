import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTroupeClient, ticketUrl } from "../../src/client/index.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { eagerClient } from "./connected.ts";
import { scriptedFetch } from "./scripted-fetch.ts";

const stored = { id: "c", title: "T", created_at: "1", updated_at: "2", messages: [] };

describe("a conversation that another asked", () => {
  it("is read with its messages, whose requests can be resumed", async () => {
    await using server = await startTroupe();
    using asking = eagerClient(server.url);
    using looking = eagerClient(server.url);
    const asked = asking.request("chat", { message: "What is new?", persona_id: "skeptic" });
    const { data } = await asked.done;
    assert.ok(typeof data.conversation_id === "string");
    const { id, messages } = await looking.conversation(data.conversation_id);
    assert.equal(id, data.conversation_id);
    assert.deepEqual(
      messages.map(({ role, request_id }) => [role, request_id]),
      [
        ["user", asked.id],
        ["assistant", asked.id],
      ],
    );
    const again = await looking.resume(messages[0]?.request_id ?? "").done;
    assert.deepEqual(again.data, data);
    await assert.rejects(looking.conversation("nothing"), {
      code: "conversation_not_found",
      retryable: false,
    });
  });

  for (const [url, protocols, headers, place, shown] of [
    ["ws://server.test/ws", [], {}, "http://server.test/api/conversations/c", {}],
    ["ws://server.test/troupe/ws", [], {}, "http://server.test/troupe/api/conversations/c", {}],
    [
      "wss://server.test/a/b/ws?ticket=t",
      ["troupe", "troupe.token.k"],
      {},
      "https://server.test/a/b/api/conversations/c",
      { authorization: "Bearer k" },
    ],
    [
      ticketUrl({
        url: "ws://server.test/ws",
        fetch: scriptedFetch({ status: 201, body: { ticket: "t" } }).fetch,
      }),
      [],
      { authorization: "Bearer j" },
      "http://server.test/api/conversations/c",
      { authorization: "Bearer j" },
    ],
  ] as const) {
    it(`is asked for beside the socket: ${place}`, async () => {
      const { fetch, asked } = scriptedFetch({ status: 200, body: stored });
      const client = createTroupeClient({ url, protocols, headers, fetch });
      assert.deepEqual(await client.conversation("c"), stored);
      assert.deepEqual([asked[0]?.url, asked[0]?.headers], [place, shown]);
    });
  }

  it("has an id that may be any text", async () => {
    const { fetch, asked } = scriptedFetch({ status: 200, body: stored });
    await createTroupeClient({ url: "ws://server.test/ws", fetch }).conversation("a/../b?c#d é");
    assert.equal(asked[0]?.url, "http://server.test/api/conversations/a%2F..%2Fb%3Fc%23d%20%C3%A9");
  });

  for (const [name, answer, code, retryable] of [
    ["no key", { status: 401, body: { code: "unauthenticated", message: "M" } }, "unauthenticated", false],
    [
      "another origin",
      { status: 403, body: { code: "forbidden_origin", message: "M" } },
      "forbidden_origin",
      false,
    ],
    [
      "no storage",
      { status: 503, body: { code: "storage_unavailable", message: "M" } },
      "storage_unavailable",
      true,
    ],
    ["a proxy's page", { status: 502, body: "<html>" }, "lost", true],
    ["a proxy's JSON", { status: 404, body: { error: "no route" } }, "lost", true],
    ["something else with 200", { status: 200, body: { hello: 1 } }, "lost", true],
    ["an unknown code", { status: 418, body: { code: "toString", message: "M" } }, "lost", true],
    ["no answer", new Error("offline"), "lost", true],
  ] as const) {
    it(`rejects with \`${code}\` for ${name}`, async () => {
      const { fetch } = scriptedFetch(answer);
      const client = createTroupeClient({ url: "ws://server.test/ws", fetch });
      await assert.rejects(client.conversation("c"), { name: "TroupeRequestError", code, retryable });
    });
  }
});
