import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createEndpoint } from "../../../src/adapters/upstream/endpoint.ts";
import { createUpstreamAgents } from "../../../src/adapters/upstream/upstream-call.ts";
import { textMessage } from "../../../src/ports/item.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";

const apiKey = "k3y+with/signs==";
const words = { keySetting: "KEY", urlSetting: "URL", api: "API" };

/** The message of the cause that is logged for a vendor's message. */
function loggedFor(message: string, headers: Readonly<Record<string, string>> = {}): string {
  using agents = createUpstreamAgents();
  const { toError } = createEndpoint(
    { apiKey, headers, agents, idleMs: 1_000 },
    "https://api.example.org",
    words,
  );
  const request = { model: "m-1", input: [textMessage("user", "Well?")] };
  const { cause } = toError(new TroupeError("upstream_auth", { cause: new Error(message) }), request);
  assert.ok(cause instanceof Error);
  return cause.message;
}

describe("a key in a vendor's message is in no log line", () => {
  for (const [form, quoted] of [
    ["as it is", apiKey],
    ["as an address has it", encodeURIComponent(apiKey)],
    ["as JSON may write it", "k3y\\u002bwith\\u002fsigns\\u003d\\u003d"],
    ["as Python writes bytes", "k3y\\x2bwith\\x2fsigns\\x3d\\x3d"],
  ] as const)
    it(form, () => {
      assert.equal(loggedFor(`Bad key: ${quoted}.`), "Bad key: [secret].");
    });

  it("where its start is the last that is logged", () => {
    const logged = loggedFor(`${"x ".repeat(140)}${encodeURIComponent(apiKey)} ${"y ".repeat(100)}`);
    assert.ok(!logged.includes("k3y"), logged);
  });

  it("if a header of the operator's own carries it after a word", () => {
    const headers = { authorization: "Bearer t0ken-of-the-gateway" };
    assert.equal(loggedFor("Bad key: t0ken-of-the-gateway.", headers), "Bad key: [secret].");
    assert.equal(loggedFor("Bad: Bearer t0ken-of-the-gateway.", headers), "Bad: [secret].");
  });
});
