import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ticketUrl } from "../../src/client/index.ts";
import { scriptedFetch } from "./scripted-fetch.ts";

describe("ticketUrl", () => {
  it("asks beside the socket, with the key, and puts the ticket into the address", async () => {
    const { fetch, asked } = scriptedFetch({ status: 201, body: { ticket: "t 1", valid_for_ms: 30_000 } });
    const url = "wss://server.test/chat/ws?x=1";
    const address = await ticketUrl({ url, key: "k", headers: { "x-app": "a" }, fetch })();
    assert.equal(address, "wss://server.test/chat/ws?x=1&ticket=t+1");
    assert.deepEqual(asked, [
      {
        url: "https://server.test/chat/api/tickets",
        method: "POST",
        headers: { "x-app": "a", authorization: "Bearer k" },
      },
    ]);
  });

  for (const [status, headers, failure] of [
    [401, {}, { code: "unauthenticated", retryable: false }],
    [403, {}, { code: "forbidden", retryable: false }],
    [429, { "retry-after": "9" }, { code: "lost", retryable: true, retryAfterMs: 9_000 }],
    [503, {}, { code: "lost", retryable: true, retryAfterMs: undefined }],
    [200, {}, { code: "lost", retryable: true }],
  ] as const) {
    it(`rejects as a client understands after ${status}`, async () => {
      const { fetch } = scriptedFetch({ status, headers, body: { message: "Why." } });
      const asked = ticketUrl({ url: "ws://server.test/ws", key: "k", fetch })();
      await assert.rejects(asked, { name: "TroupeRequestError", message: "Why.", ...failure });
    });
  }
});
