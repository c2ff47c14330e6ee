import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProviderRequest } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { type ApiError, httpError, streamScript } from "../../doubles/stream-script.ts";
import { hear } from "../../ports/hear.ts";
import { createChatSetup, done, finish, text } from "./chat-setup.ts";

const answer = streamScript([text("Yes."), finish("stop"), done]);
const functions = [{ name: "rain", parameters: { type: "object" }, strict: true }];
const all: Partial<ProviderRequest> = { temperature: 0.5, maxOutputTokens: 9, functions };

function refusal(message: string, param: string | null = null): ApiError {
  return { message, param, type: "invalid_request_error", code: null };
}

/** The names in the bodies of the calls; `strict` counts as one of the body's. */
function namesIn(body: unknown): string[] {
  return [...JSON.stringify(body).matchAll(/"(\w+)":/g)].map(([, name = ""]) => name);
}

describe("a parameter that a server does not know", () => {
  const refusals: readonly (readonly [string, ApiError])[] = [
    [
      "max_tokens",
      refusal(
        "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens'.",
        "max_tokens",
      ),
    ],
    [
      "max_tokens",
      refusal("Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens'."),
    ],
    ["stream_options", refusal("property 'stream_options' is unsupported")],
    ["stream_options", refusal("Unknown field", "stream_options.include_usage")],
    ["temperature", refusal("temperature: Extra inputs are not permitted")],
    ["temperature", refusal("Unsupported value: 'temperature' does not support 0.5 with this model.")],
    ["strict", refusal("Argument not supported on this model: strict", "tools[0].function.strict")],
  ];
  for (const [name, error] of refusals)
    it(`is left out at once and from then on: ${error.message}`, async () => {
      await using under = await createChatSetup();
      under.double.respond(({ body }) => (namesIn(body).includes(name) ? httpError(400, error) : answer));
      for (const calls of [2, 3]) {
        const { text: said, thrown } = await hear(under, all);
        assert.deepEqual([said, thrown, under.double.calls], ["Yes.", undefined, calls]);
      }
      const [first, second] = under.double.requests.map(({ body }) => namesIn(body));
      const kept = first?.map((one) =>
        one === "max_tokens" && name === one ? "max_completion_tokens" : one,
      );
      assert.deepEqual(
        second,
        kept?.filter((one) => one !== name && (name !== "stream_options" || one !== "include_usage")),
      );
    });

  it("may be one of several", async () => {
    await using under = await createChatSetup();
    const missing = ["stream_options", "temperature", "strict"];
    under.double.respond(({ body }) => {
      const name = missing.find((one) => namesIn(body).includes(one));
      return name === undefined ? answer : httpError(422, refusal(`Unknown parameter '${name}'.`));
    });
    assert.equal((await hear(under, all)).text, "Yes.");
    assert.equal(under.double.calls, 4);
  });

  it("is remembered for its model alone", async () => {
    await using under = await createChatSetup();
    under.double.respond(({ body }) =>
      namesIn(body).includes("temperature") && (body as { model: string }).model === "o9"
        ? httpError(400, refusal("Unsupported parameter: 'temperature'"))
        : answer,
    );
    await hear(under, { ...all, model: "o9" });
    await hear(under, all);
    assert.deepEqual(
      under.double.requests.map(({ body }) => namesIn(body).includes("temperature")),
      [true, false, true],
    );
  });

  const others: readonly (readonly [string, number, ApiError])[] = [
    ["a value out of range", 400, refusal("Invalid 'temperature': above the maximum value.", "temperature")],
    ["a parameter that was not sent", 400, refusal("Unsupported parameter: 'top_p'", "top_p")],
    ["the messages", 400, refusal("Unsupported content type", "messages[0].content")],
    ["another status", 403, refusal("Unsupported parameter: 'temperature'", "temperature")],
  ];
  for (const [name, status, error] of others)
    it(`is not ${name}: the call is made once`, async () => {
      await using under = await createChatSetup();
      under.double.respond(httpError(status, error));
      const { thrown } = await hear(under, all);
      assert.ok(thrown instanceof TroupeError);
      assert.equal(under.double.calls, 1);
    });

  it("ends the call if both names of a limit are refused", async () => {
    await using under = await createChatSetup();
    under.double.respond(({ body }) => {
      const name = namesIn(body).find((one) => one.startsWith("max_"));
      return httpError(400, refusal(`Unsupported parameter: '${name}'`, name ?? null));
    });
    const { thrown } = await hear(under, all);
    assert.ok(thrown instanceof TroupeError && thrown.code === "upstream_invalid_request");
    assert.equal(under.double.calls, 2);
  });
});
