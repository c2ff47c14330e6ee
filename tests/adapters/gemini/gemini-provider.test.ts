import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createGeminiProvider } from "../../../src/adapters/gemini/gemini-provider.ts";
import { createUpstreamAgents } from "../../../src/adapters/upstream/upstream-call.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import type { Step } from "../../doubles/script.ts";
import { streamHead, streamScript } from "../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { call, createGeminiSetup, finish, question, text, thought } from "./gemini-setup.ts";

describe("the address of a Gemini call", () => {
  const action = ":streamGenerateContent?alt=sse";
  const rows = [
    ["", "gemini-3-pro", `/v1beta/models/gemini-3-pro${action}`],
    ["/", "models/gemini-3-pro", `/v1beta/models/gemini-3-pro${action}`],
    ["/v1beta/", "tunedModels/rain-7", `/v1beta/tunedModels/rain-7${action}`],
    ["/v1/publishers/google", "gemini-3-pro", `/v1/publishers/google/models/gemini-3-pro${action}`],
    ["/proxy", "gemini-3-pro", `/proxy/v1beta/models/gemini-3-pro${action}`],
    ["", "../files?key=x#y", `/v1beta/models/..%2Ffiles%3Fkey%3Dx%23y${action}`],
    ["", "tunedModels/../x", `/v1beta/tunedModels/..%2Fx${action}`],
  ] as const;
  for (const [base, model, path] of rows)
    it(`is ${path} for ${model} at ${base || "no path"}`, async () => {
      await using double = await createUpstreamDouble();
      using agents = createUpstreamAgents();
      double.respond(streamScript([text("Yes."), finish("STOP")]));
      const provider = createGeminiProvider({
        ...{ agents, clock: createTestClock(), apiKey: "key-of-a-test", idleMs: 300_000 },
        baseUrl: `${new URL(double.baseUrl).origin}${base}`,
        headers: { "X-Goog-Api-Key": "another-key" },
      });
      const { signal } = new AbortController();
      await Array.fromAsync(provider.stream({ ...question, model }, { signal }));
      const [request] = double.requests;
      assert.deepEqual([request?.method, request?.path], ["POST", path]);
      assert.equal(request?.headers["x-goog-api-key"], "another-key");
      assert.equal("model" in Object(request?.body), false);
    });
});

const write = (event: string): Step => ({ write: event });

describe("a stop of a Gemini call closes its socket", () => {
  const open = call({ name: "rain", willContinue: true });
  const places: readonly (readonly [string, readonly Step[]])[] = [
    ["before the head", []],
    ["before the first event", [streamHead()]],
    ["in reasoning", [streamHead(), write(thought("Hm."))]],
    ["in the text", [streamHead(), write(text("A")), write(text("B"))]],
    ["in a call", [streamHead(), write(open)]],
    ["after the finish reason", [streamHead(), write(text("A")), write(finish("STOP"))]],
  ];
  for (const [name, steps] of places)
    it(name, async () => {
      await using under = await createGeminiSetup();
      const { double, provider, clock } = under;
      double.respond([...steps, { hang: true }]);
      const stop = new AbortController();
      const reason = new Error("stop");
      const read = Array.fromAsync(provider.stream(question, stop));
      const ended = assert.rejects(read, reason);
      const request = await double.received(1);
      stop.abort(reason);
      await ended;
      await double.closed(request);
      assert.deepEqual([under.connections(), clock.sleeping], [0, 0]);
    });
});

describe("a Gemini answer whose connection breaks", () => {
  it("is whole after its finish reason, and its connection is not kept", async () => {
    await using under = await createGeminiSetup();
    const { double, provider } = under;
    const breaks: readonly Step[] = [write(text("A")), write(finish("STOP")), { reset: true }];
    double.respond([streamHead(), ...breaks]);
    const { signal } = new AbortController();
    const events = (await Array.fromAsync(provider.stream(question, { signal }))).flat();
    assert.deepEqual(
      events.map(({ type }) => type),
      ["started", "text", "end"],
    );
    assert.equal(under.connections(), 0);
  });
});

describe("the key of a Gemini call", () => {
  it("is in no error, whatever part of the answer repeats it", async () => {
    await using under = await createGeminiSetup();
    const { double, provider } = under;
    const quoted = { error: { code: 500, message: "key-of-a-test", status: "key-of-a-test" } };
    double.respond(streamScript([`data: ${JSON.stringify(quoted)}\n\n`]));
    const { signal } = new AbortController();
    const thrown: unknown = await Array.fromAsync(provider.stream(question, { signal })).catch(
      (error) => error,
    );
    assert.ok(thrown instanceof TroupeError);
    assert.equal(`${thrown.publicMessage} ${String(thrown.cause)}`.includes("key-of-a-test"), false);
  });
});
