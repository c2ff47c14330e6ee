import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProviderRequest } from "../../../src/ports/provider.ts";
import { type ErrorCode, TroupeError } from "../../../src/protocol/errors.ts";
import { plainResponse, streamScript } from "../../doubles/stream-script.ts";
import type { RecordedRequest } from "../../doubles/upstream-double.ts";
import { hear } from "../../ports/hear.ts";
import { createAnthropicSetup, says } from "./anthropic-setup.ts";

const answer = streamScript([says("Yes.")]);

function refuse(status: number, type: string, message: string, headers = {}) {
  return plainResponse(status, { type: "error", error: { type, message }, request_id: "req_1" }, headers);
}

const has = ({ body }: RecordedRequest, word: string) => JSON.stringify(body).includes(`"${word}"`);

describe("a call of the Messages API", () => {
  it("sends the key, the version and its own headers to the one path", async () => {
    for (const path of ["/v1", "", "/v1/"]) {
      await using under = await createAnthropicSetup(undefined, { path, headers: { "X-Team": "chat" } });
      under.double.respond(answer);
      assert.equal((await hear(under)).text, "Yes.");
      const [request] = under.double.requests;
      const { headers = {} } = request ?? {};
      assert.deepEqual([request?.method, request?.path], ["POST", "/v1/messages"]);
      assert.deepEqual(
        [headers["x-api-key"], headers["anthropic-version"], headers["x-team"], headers.authorization],
        ["key-of-a-test", "2023-06-01", "chat", undefined],
      );
    }
  });

  it("lets a header of the settings replace one of its own", async () => {
    const headers = { "Anthropic-Version": "2026-10-21" };
    await using under = await createAnthropicSetup(undefined, { headers });
    under.double.respond(answer);
    await hear(under);
    assert.equal(under.double.requests[0]?.headers["anthropic-version"], "2026-10-21");
  });
});

describe("a refusal by the Messages API", () => {
  const refusals: readonly (readonly [number, string, string, ErrorCode, boolean])[] = [
    [400, "invalid_request_error", "messages: roles must alternate", "upstream_invalid_request", false],
    [
      400,
      "invalid_request_error",
      "prompt is too long: 9 tokens > 8 maximum",
      "context_length_exceeded",
      false,
    ],
    [
      400,
      "invalid_request_error",
      "Your credit balance is too low to access the API.",
      "quota_exceeded",
      false,
    ],
    [401, "authentication_error", "invalid x-api-key", "upstream_auth", false],
    [402, "billing_error", "Pay.", "quota_exceeded", false],
    [403, "permission_error", "No.", "upstream_auth", false],
    [404, "not_found_error", "model: claude-9", "model_not_found", false],
    [404, "not_found_error", "Not Found", "upstream_invalid_request", false],
    [413, "request_too_large", "Request exceeds the maximum size", "context_length_exceeded", false],
    [429, "rate_limit_error", "Slow down.", "rate_limited", true],
    [500, "api_error", "Internal server error", "upstream_error", true],
    [504, "timeout_error", "Timed out.", "upstream_error", true],
    [529, "overloaded_error", "Overloaded", "upstream_overloaded", true],
  ];
  for (const [status, type, message, code, isSafe] of refusals)
    it(`${status} ${type} is ${code}: ${message}`, async () => {
      await using under = await createAnthropicSetup();
      under.double.respond(refuse(status, type, message));
      const { thrown } = await hear(under);
      assert.ok(thrown instanceof TroupeError);
      assert.deepEqual([thrown.code, thrown.safeToRepeat, under.double.calls], [code, isSafe, 1]);
    });

  it("names its settings in the advice", async () => {
    for (const [settings, name] of [
      [undefined, "ANTHROPIC_API_KEY"],
      [{ key: "TEAM_KEY", baseUrl: "TEAM_URL" }, "TEAM_KEY"],
    ] as const) {
      await using under = await createAnthropicSetup(undefined, settings === undefined ? {} : { settings });
      under.double.respond(refuse(401, "authentication_error", "invalid x-api-key"));
      const { thrown } = await hear(under);
      assert.ok(thrown instanceof TroupeError);
      assert.ok(thrown.detail?.startsWith(`Check ${name}:`));
    }
  });

  it("is an overload for a gateway's bare 529, and asks for its pause", async () => {
    await using under = await createAnthropicSetup();
    under.double.respond(plainResponse(529, "<html>", { "retry-after": "4" }));
    const { thrown } = await hear(under);
    assert.ok(thrown instanceof TroupeError);
    assert.deepEqual(
      [thrown.code, thrown.retryAfterMs, thrown.isUnread],
      ["upstream_overloaded", 4_000, true],
    );
  });

  it("follows x-should-retry", async () => {
    await using under = await createAnthropicSetup();
    under.double.respond(refuse(500, "api_error", "No.", { "x-should-retry": "false" }));
    const { thrown } = await hear(under);
    assert.ok(thrown instanceof TroupeError && !thrown.safeToRepeat);
  });
});

describe("a parameter that a model of Anthropic refuses", () => {
  const all: Partial<ProviderRequest> = {
    functions: [{ name: "rain", parameters: {}, strict: true }],
    options: { top_p: 0.5, user: "u", reasoning: { effort: "high" } },
  };
  const hot: Partial<ProviderRequest> = { temperature: 0.5 };
  const learned: readonly (readonly [string, string, Partial<ProviderRequest>])[] = [
    ["temperature", "temperature: Extra inputs are not permitted", hot],
    ["temperature", "`temperature` is deprecated for this model.", hot],
    ["effort", "This model does not support the effort parameter.", all],
    ["effort", "output_config.effort: Extra inputs are not permitted", all],
    ["thinking", "adaptive thinking is not supported on this model", all],
    ["thinking", '"thinking.type.adaptive" is not supported for this model.', all],
    ["strict", "tools.0.custom.strict: Extra inputs are not permitted", all],
  ];
  for (const [name, message, changes] of learned)
    it(`is left out at once and from then on: ${message}`, async () => {
      await using under = await createAnthropicSetup();
      under.double.respond((request) =>
        has(request, name) ? refuse(400, "invalid_request_error", message) : answer,
      );
      for (const calls of [2, 3]) {
        const { text, thrown } = await hear(under, changes);
        assert.deepEqual([text, thrown, under.double.calls], ["Yes.", undefined, calls]);
      }
      const [, second] = under.double.requests;
      assert.ok(second !== undefined && has(second, "messages") && has(second, "max_tokens"));
      if (name === "strict") assert.ok(has(second, "rain"));
      if (name === "effort") assert.equal(has(second, "output_config"), false);
    });

  it("is told to the client if the answer would not be the same without it", async () => {
    await using under = await createAnthropicSetup();
    under.double.respond(
      refuse(400, "invalid_request_error", "output_config.format: Extra inputs are not permitted"),
    );
    const format = { type: "json_schema", name: "n", schema: { type: "object" } };
    const { thrown } = await hear(under, { options: { text: { format } } });
    assert.ok(thrown instanceof TroupeError && thrown.code === "upstream_invalid_request");
    assert.deepEqual([thrown.detail, under.double.calls], ["Parameter: output_config.format.", 1]);
  });
});
