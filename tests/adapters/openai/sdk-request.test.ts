import assert from "node:assert/strict";
import { describe, it } from "node:test";
import OpenAI, { APIError } from "openai";
import { createSdkClient } from "../../../src/adapters/openai/sdk-client.ts";
import { createUpstreamAgents, HttpCall } from "../../../src/adapters/upstream/upstream-call.ts";
import { plainResponse, streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";

const named = { organization: "org-1", project: "proj-1" };
const headers = { "X-Own": "own", Accept: "text/event-stream" };
const body = { model: "gpt-4o-mini", input: "Well?", stream: true } as const;

/** The fetch function adds these. */
const ofTheConnection: ReadonlySet<string> = new Set([
  ...["connection", "content-length", "accept-encoding", "accept-language", "sec-fetch-mode"],
]);

async function setUp() {
  const double = await createUpstreamDouble();
  const agents = createUpstreamAgents();
  const given = {
    ...named,
    apiKey: "key-of-a-test",
    baseUrl: double.baseUrl,
    headers,
    agents,
    idleMs: 1_000,
  };
  const { sdk } = createSdkClient(given);
  return {
    double,
    post: () => sdk.postOver(new HttpCall(agents).fetch, "/responses", body),
    /** The SDK's own call. */
    create: () =>
      new OpenAI({
        ...named,
        apiKey: "key-of-a-test",
        baseURL: double.baseUrl,
        defaultHeaders: headers,
        maxRetries: 0,
      }).responses.create(body),
    async [Symbol.asyncDispose]() {
      agents[Symbol.dispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

describe("a request with the SDK's headers, built once", () => {
  it("is the request that the SDK itself makes, at every call", async () => {
    await using at = await setUp();
    for (const call of [at.create, at.post, at.post]) {
      at.double.respond(streamScript([]));
      await call();
    }
    const [sdks, ...ours] = at.double.requests.map(({ method, path, headers: all, body: sent }) => {
      const built = Object.entries(all).filter(([name]) => !ofTheConnection.has(name));
      return { method, path, sent, headers: Object.fromEntries(built) };
    });
    assert.deepEqual(ours, [sdks, sdks]);
  });

  it("fails with the error that the SDK itself throws", async () => {
    for (const refusal of [
      { error: { message: "Slow down.", type: "t", code: "c", param: "p" } },
      { message: "No such thing." },
      "<html>no</html>",
      "",
    ]) {
      await using at = await setUp();
      const thrown: unknown[] = [];
      for (const call of [at.create, at.post]) {
        at.double.respond(plainResponse(429, refusal, { "x-request-id": "r-1" }));
        await call().catch((error: unknown) => thrown.push(error));
      }
      const [sdks, ours] = thrown;
      assert.ok(sdks instanceof APIError && ours instanceof APIError);
      for (const name of ["message", "status", "code", "type", "param", "error", "requestID"] as const)
        assert.deepEqual(ours[name], sdks[name], name);
      assert.equal(ours.constructor, sdks.constructor);
    }
  });
});
