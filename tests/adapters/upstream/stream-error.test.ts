import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openaiNames } from "../../../src/adapters/openai/openai-errors.ts";
import { fromStreamError as readStreamError } from "../../../src/adapters/upstream/stream-error.ts";
import type { ErrorCode } from "../../../src/protocol/errors.ts";

const fromStreamError = (told: unknown, options?: { isNewCall: boolean }) =>
  readStreamError(told, openaiNames, options);
const reasonOf = ({ cause }: { cause?: unknown }) => (cause instanceof Error ? cause.message : undefined);

describe("an error inside a stream is known in every form", () => {
  const message = "Why.";
  const forms: readonly [string, unknown][] = [
    ["the error object", { message, code: "server_is_overloaded", type: "server_error", param: null }],
    ["the event as documented", { type: "error", code: "server_is_overloaded", message, param: null }],
    ["an event with an object", { type: "error", error: { code: "server_is_overloaded", message } }],
    ["an event without a type", { error: { code: "server_is_overloaded", message } }],
    ["a text beside a code", { code: "server_is_overloaded", error: message }],
    ["an error in an error", { error: { error: { code: "server_is_overloaded", message } } }],
    ["a list", [{ error: { code: "server_is_overloaded", message } }]],
    ["a list of errors", { errors: [{ code: "server_is_overloaded", message }] }],
    ["an object that says that it is one", { object: "error", code: "server_is_overloaded", message }],
    ["a type alone", { error: { type: "server_is_overloaded", message } }],
    ["a detail", { code: "server_is_overloaded", detail: message }],
  ];
  for (const [what, told] of forms)
    it(what, () => {
      const error = fromStreamError(told);
      assert.deepEqual([error.code, reasonOf(error)], ["upstream_overloaded", message]);
      assert.equal(error.safeToRepeat, true);
    });

  it("an error in up to four others; one that is deeper still is an error", () => {
    const wraps: readonly ((inner: unknown) => unknown)[] = [
      (error) => ({ error }),
      (error) => ({ type: "error", error }),
      (error) => ({ errors: [error] }),
      (error) => [error],
    ];
    for (const wrap of wraps) {
      let told: unknown = { code: "server_is_overloaded", message };
      // A list is a level of its own.
      const levels = JSON.stringify(wrap(0)).includes("errors") ? 2 : 4;
      for (let level = 1; level <= levels; level += 1) {
        told = wrap(told);
        const error = fromStreamError(told);
        assert.deepEqual([error.code, reasonOf(error)], ["upstream_overloaded", message], `level ${level}`);
      }
      for (let level = 0; level < 100_000; level += 1) told = wrap(told);
      assert.equal(fromStreamError(told).code, "upstream_error");
    }
  });

  it("a text, and nothing that makes sense", () => {
    assert.equal(reasonOf(fromStreamError("The model has crashed.")), "The model has crashed.");
    for (const told of [undefined, null, 7, [], {}, [[[[[[[]]]]]]], { error: [] }, { error: {} }])
      assert.equal(fromStreamError(told).code, "upstream_error", JSON.stringify(told));
  });
});

describe("the code of an error inside a stream, and whether the call may be repeated", () => {
  const rows: readonly [object | string, ErrorCode, boolean][] = [
    [{ code: "server_is_overloaded", type: "server_error" }, "upstream_overloaded", true],
    [{ code: "slow_down" }, "upstream_overloaded", true],
    [{ code: "rate_limit_exceeded" }, "rate_limited", true],
    [{ code: "server_error" }, "upstream_error", true],
    [{ code: "vector_store_timeout" }, "upstream_error", true],
    [{ message: "no words" }, "upstream_error", true],
    [{ type: "overloaded_error" }, "upstream_overloaded", true],
    [{ type: "rate_limit_error" }, "rate_limited", true],
    [{ type: "api_error" }, "upstream_error", true],
    [{ type: "timeout_error" }, "upstream_error", true],
    [{ code: 429 }, "rate_limited", true],
    [{ code: "429" }, "rate_limited", true],
    [{ code: 503 }, "upstream_overloaded", true],
    [{ code: 529 }, "upstream_error", true],
    [{ status: 500 }, "upstream_error", true],
    [{ status_code: 429, message: "m" }, "rate_limited", true],
    [{ status: "RESOURCE_EXHAUSTED" }, "rate_limited", true],
    [{ status: "UNAVAILABLE" }, "upstream_overloaded", true],
    [{ code: "too_many_requests" }, "rate_limited", true],
    [{ code: "insufficient_system_resource_unavailable" }, "upstream_overloaded", true],
    ["Rate limit exceeded, slow down.", "rate_limited", true],
    ["The server is overloaded.", "upstream_overloaded", true],
    [{ code: "insufficient_quota" }, "quota_exceeded", false],
    [{ code: "invalid_prompt" }, "upstream_invalid_request", false],
    [{ code: "context_length_exceeded" }, "context_length_exceeded", false],
    [{ code: "model_not_found" }, "model_not_found", false],
    [{ code: "invalid_api_key" }, "upstream_auth", false],
    [{ code: 400 }, "upstream_invalid_request", false],
    [{ code: 401 }, "upstream_auth", false],
    [{ code: "unheard_of" }, "upstream_error", false],
    [{ type: "invalid_request_error", code: "unheard_of" }, "upstream_invalid_request", false],
    [{ type: "invalid_request_error", code: 429 }, "rate_limited", true],
  ];
  for (const [error, code, mayPass] of rows)
    it(`${JSON.stringify(error)} is ${code}`, () => {
      const given = fromStreamError({ type: "error", error });
      assert.deepEqual([given.code, given.safeToRepeat], [code, mayPass]);
      // A call that continues an earlier one would fail again in the same way.
      assert.equal(fromStreamError({ error }, { isNewCall: false }).safeToRepeat, false);
    });

  it("only the vendor's own word for overload says that nothing was read", () => {
    assert.equal(fromStreamError({ code: "server_is_overloaded" }).isUnread, true);
    for (const code of [503, "overloaded", "server_error"])
      assert.equal(fromStreamError({ code }).isUnread, undefined);
  });

  it("the vendor's message is for the log alone, its parameter for the client", () => {
    const given = fromStreamError({ message: "a secret", param: "input" });
    assert.equal(reasonOf(given), "a secret");
    assert.equal(given.detail, "Parameter: input.");
    assert.equal(given.publicMessage.includes("secret"), false);
  });
});

describe("the pause that an error inside a stream asks for", () => {
  const limited = { code: "rate_limit_exceeded" };
  const rows: readonly [object, number | undefined][] = [
    [{ retry_after: 7 }, 7_000],
    [{ retry_after: "1.5" }, 1_500],
    [{ retry_after_ms: 250, retry_after: 7 }, 250],
    [{ retryAfterMs: 250 }, 250],
    [{ retry_after_seconds: 2 }, 2_000],
    [{ headers: { "Retry-After": "3" } }, 3_000],
    [{ metadata: { headers: { "retry-after-ms": "40" } } }, 40],
    [{ metadata: { retry_after_seconds: 2 } }, 2_000],
    [{ details: [{ "@type": "x" }, { retryDelay: "34s" }] }, 34_000],
    [{ details: [{ retryDelay: `${"1".repeat(100)}s` }] }, undefined],
    [{ message: "Limit 10000. Please try again in 1.242s. Visit us." }, 1_242],
    [{ message: "Please try again in 340ms." }, 340],
    [{ message: "Please try again in 6m0s." }, 360_000],
    [{ message: "Retry after 20 seconds" }, 20_000],
    [{ message: "try again in 1 hour" }, 3_600_000],
    [{ message: "Please try again later." }, undefined],
    [{ message: "Please try again in a moment." }, undefined],
    [{ retry_after: -1 }, undefined],
    [{ retry_after: "soon" }, undefined],
    [{ retry_after: Number.NaN }, undefined],
    [{}, undefined],
  ];
  for (const [fields, pause] of rows)
    it(JSON.stringify(fields), () => {
      assert.equal(fromStreamError({ error: { ...limited, ...fields } }).retryAfterMs, pause);
      assert.equal(fromStreamError({ code: "invalid_prompt", ...fields }).retryAfterMs, undefined);
    });
});
