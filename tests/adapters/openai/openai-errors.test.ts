import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { APIConnectionError, APIError } from "openai";
import { fromSdkError } from "../../../src/adapters/openai/openai-errors.ts";
import { fromConnectionError } from "../../../src/adapters/upstream/http-fault.ts";
import { NoConnectionError, NotAnAnswerError } from "../../../src/adapters/upstream/upstream-call.ts";

const nowMs = Date.UTC(2026, 10, 22, 12);

interface HttpCase {
  readonly status: number;
  readonly error?: { code?: string | null; type?: string | null; param?: string | null };
  readonly headers?: Record<string, string>;
  readonly code: string;
  readonly repeat: boolean;
}

const thrownBy = ({ status, error, headers = {} }: HttpCase) =>
  fromSdkError(
    APIError.generate(
      status,
      error && { error: { message: "said", ...error } },
      undefined,
      new Headers(headers),
    ),
    nowMs,
  );

describe("an HTTP error of the vendor", () => {
  const quotas = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
  ];
  const table: readonly HttpCase[] = [
    { status: 302, code: "upstream_invalid", repeat: false },
    { status: 400, code: "upstream_invalid_request", repeat: false },
    {
      status: 400,
      error: { code: "context_length_exceeded" },
      code: "context_length_exceeded",
      repeat: false,
    },
    {
      status: 400,
      error: { code: "previous_response_not_found" },
      code: "previous_response_not_found",
      repeat: false,
    },
    {
      status: 400,
      error: { code: "unknown_parameter", type: "invalid_request_error" },
      code: "upstream_invalid_request",
      repeat: false,
    },
    {
      status: 401,
      error: { code: "invalid_api_key", type: "invalid_request_error" },
      code: "upstream_auth",
      repeat: false,
    },
    { status: 401, error: { type: "invalid_request_error" }, code: "upstream_auth", repeat: false },
    {
      status: 403,
      error: { code: null, type: "invalid_request_error" },
      code: "upstream_auth",
      repeat: false,
    },
    { status: 404, error: { code: "model_not_found" }, code: "model_not_found", repeat: false },
    { status: 404, code: "upstream_invalid_request", repeat: false },
    { status: 408, code: "upstream_error", repeat: true },
    { status: 409, code: "upstream_invalid_request", repeat: true },
    { status: 422, code: "upstream_invalid_request", repeat: false },
    { status: 429, code: "rate_limited", repeat: true },
    {
      status: 429,
      error: { code: "rate_limit_exceeded", type: "tokens" },
      code: "rate_limited",
      repeat: true,
    },
    { status: 429, error: { code: "slow_down" }, code: "upstream_overloaded", repeat: true },
    { status: 429, error: { type: "insufficient_quota" }, code: "quota_exceeded", repeat: false },
    ...quotas.map((code) => ({ status: 429, error: { code }, code: "quota_exceeded", repeat: false })),
    {
      status: 429,
      error: { code: "insufficient_quota" },
      headers: { "x-should-retry": "true" },
      code: "quota_exceeded",
      repeat: false,
    },
    { status: 500, code: "upstream_error", repeat: true },
    {
      status: 500,
      error: { code: "server_error" },
      headers: { "x-should-retry": "false" },
      code: "upstream_error",
      repeat: false,
    },
    { status: 400, headers: { "x-should-retry": "true" }, code: "upstream_invalid_request", repeat: true },
    { status: 502, code: "upstream_error", repeat: true },
    { status: 503, code: "upstream_overloaded", repeat: true },
    {
      status: 503,
      error: { code: "server_is_overloaded", type: "service_unavailable_error" },
      code: "upstream_overloaded",
      repeat: true,
    },
    { status: 504, code: "upstream_error", repeat: true },
  ];
  for (const row of table) {
    const { status, error, headers, code, repeat } = row;
    it(`${status} ${JSON.stringify({ ...error, ...headers })} is ${code}, ${repeat ? "" : "not "}to be repeated`, () => {
      const given = thrownBy(row);
      assert.deepEqual([given.code, given.safeToRepeat], [code, repeat]);
      assert.equal(given.retryAfterMs, undefined);
      assert.ok(given.cause instanceof APIError);
    });
  }

  it("was surely not read if a check before the model refused it, but never if a gateway gave it up", () => {
    for (const [status, error, isUnread] of [
      ...[302, 400, 401, 403, 404, 405, 413, 415, 422, 429].map(
        (status) => [status, undefined, true] as const,
      ),
      ...[408, 409, 500, 502, 503, 504, 520].map((status) => [status, undefined, false] as const),
      ...[500, 503].map((status) => [status, { code: "server_error" }, false] as const),
      [503, { code: "server_is_overloaded" }, true],
      [503, { code: "slow_down" }, true],
      [500, { code: "rate_limit_exceeded" }, true],
      [409, { type: "invalid_request_error" }, false],
    ] as const) {
      const row = { status, ...(error === undefined ? {} : { error }), code: "", repeat: true };
      assert.equal(thrownBy(row).isUnread, isUnread, `${status} ${JSON.stringify(error)}`);
    }
  });

  it("gives the pause that it asks for, and ignores nonsense", () => {
    const pauses: readonly [Record<string, string>, number | undefined][] = [
      [{ "retry-after": "2" }, 2_000],
      [{ "retry-after": "1.5" }, 1_500],
      [{ "retry-after": "0" }, 0],
      [{ "retry-after": "3600" }, 3_600_000],
      [{ "retry-after-ms": "1500", "retry-after": "2" }, 1_500],
      [{ "retry-after-ms": "soon", "retry-after": "2" }, 2_000],
      [{ "retry-after": "Sun, 22 Nov 2026 12:00:07 GMT" }, 7_000],
      [{ "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" }, undefined],
      [{ "retry-after": "-5" }, undefined],
      [{ "retry-after": "soon" }, undefined],
      [{ "retry-after": "" }, undefined],
      [{ "retry-after": "1 2" }, undefined],
      [{ "retry-after": "2026-11-22" }, undefined],
    ];
    for (const [headers, retryAfterMs] of pauses) {
      const given = thrownBy({ status: 429, headers, code: "", repeat: true });
      assert.equal(given.retryAfterMs, retryAfterMs, JSON.stringify(headers));
    }
  });

  it("names the parameter at fault, and nothing that is no name", () => {
    const detailOf = (param: string | null) =>
      thrownBy({ status: 400, error: { param }, code: "", repeat: false }).detail;
    assert.equal(detailOf("tools[0].type"), "Parameter: tools[0].type.");
    for (const param of [null, "", "sk-key with spaces", "<script>", "x".repeat(81), "a\nb"])
      assert.equal(detailOf(param), undefined);
  });

  it("never shows the vendor's words to a client", () => {
    const error = APIError.generate(
      400,
      { error: { message: "a secret of the vendor" } },
      undefined,
      new Headers(),
    );
    assert.equal(fromSdkError(error, nowMs).publicMessage.includes("secret"), false);
  });
});

describe("a call without an answer", () => {
  const withCode = (code: string) => Object.assign(new Error("failed"), { code });

  it("is unreachable, or disconnected if a connection broke, and may be repeated", () => {
    for (const [cause, code] of [
      [withCode("ECONNREFUSED"), "upstream_unreachable"],
      [withCode("ENOTFOUND"), "upstream_unreachable"],
      [withCode("ECONNRESET"), "upstream_disconnected"],
      [withCode("EPIPE"), "upstream_disconnected"],
      [undefined, "upstream_unreachable"],
    ] as const) {
      const bySdk = fromSdkError(new APIConnectionError(cause === undefined ? {} : { cause }), nowMs);
      for (const given of [bySdk, fromConnectionError(cause)])
        assert.deepEqual([given.code, given.safeToRepeat], [code, true]);
    }
    assert.equal(fromSdkError(new TypeError("odd"), nowMs).code, "upstream_unreachable");
  });

  it("was surely not read only if there was no connection", () => {
    const refused = new NoConnectionError("none", { cause: withCode("ECONNRESET") });
    for (const [cause, isUnread] of [
      [refused, true],
      [withCode("ECONNRESET"), false],
      [withCode("ETIMEDOUT"), false],
      [undefined, false],
    ] as const)
      assert.equal(fromSdkError(new APIConnectionError(cause ? { cause } : {}), nowMs).isUnread, isUnread);
    const bySdk = fromSdkError(new APIConnectionError({ cause: refused }), nowMs);
    assert.equal(bySdk.code, "upstream_unreachable");
  });

  it("is invalid, and not to be repeated, if the answer is not HTTP", () => {
    for (const cause of [withCode("HPE_INVALID_CONSTANT"), new NotAnAnswerError("101")]) {
      const given = fromSdkError(new APIConnectionError({ cause }), nowMs);
      assert.deepEqual([given.code, given.safeToRepeat], ["upstream_invalid", false]);
    }
  });
});
