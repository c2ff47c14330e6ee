import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ErrorCode, TroupeError } from "../../../src/protocol/errors.ts";
import { plainResponse, streamScript } from "../../doubles/stream-script.ts";
import { hear } from "../../ports/hear.ts";
import { createGeminiSetup, finish, frame, hearEvents, text } from "./gemini-setup.ts";

const info = (reason: string) => [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason }];
const retry = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "34.5s" };
const quota = (quotaId: string) => ({
  "@type": "type.googleapis.com/google.rpc.QuotaFailure",
  violations: [{ quotaId }],
});
const fields = (field: string) => [{ fieldViolations: [{ field, description: "said" }] }];

interface Row {
  readonly code: number;
  readonly status: string;
  readonly message?: string;
  readonly details?: readonly object[];
}

async function refusalOf(
  row: Row,
  body: (error: object) => object = (error) => ({ error }),
): Promise<TroupeError> {
  await using under = await createGeminiSetup();
  under.double.respond(plainResponse(row.code, body({ message: "Said.", ...row })));
  const { thrown } = await hear(under);
  assert.ok(thrown instanceof TroupeError);
  return thrown;
}

describe("a refusal of Gemini", () => {
  const rows: readonly (readonly [Row, ErrorCode, boolean])[] = [
    [{ code: 400, status: "INVALID_ARGUMENT" }, "upstream_invalid_request", false],
    [{ code: 400, status: "INVALID_ARGUMENT", details: info("API_KEY_INVALID") }, "upstream_auth", false],
    [{ code: 400, status: "INVALID_ARGUMENT", message: "API key not valid." }, "upstream_auth", false],
    [{ code: 400, status: "FAILED_PRECONDITION" }, "upstream_auth", false],
    [{ code: 401, status: "UNAUTHENTICATED" }, "upstream_auth", false],
    [{ code: 403, status: "PERMISSION_DENIED" }, "upstream_auth", false],
    [{ code: 404, status: "NOT_FOUND" }, "model_not_found", false],
    [{ code: 429, status: "RESOURCE_EXHAUSTED" }, "rate_limited", true],
    [
      { code: 429, status: "RESOURCE_EXHAUSTED", details: [quota("RequestsPerMinute"), retry] },
      "rate_limited",
      true,
    ],
    [
      { code: 429, status: "RESOURCE_EXHAUSTED", details: [quota("RequestsPerDay-Free"), retry] },
      "quota_exceeded",
      false,
    ],
    [{ code: 499, status: "CANCELLED" }, "upstream_error", false],
    [{ code: 500, status: "INTERNAL" }, "upstream_error", true],
    [{ code: 503, status: "UNAVAILABLE" }, "upstream_overloaded", true],
    [{ code: 504, status: "DEADLINE_EXCEEDED" }, "upstream_error", true],
  ];
  for (const [row, code, mayPass] of rows)
    it(`${JSON.stringify(row)} is ${code}, also in a list`, async () => {
      for (const body of [(error: object) => ({ error }), (error: object) => [{ error }]]) {
        const thrown = await refusalOf(row, body);
        assert.deepEqual([thrown.code, thrown.safeToRepeat], [code, mayPass]);
        const hasPause = JSON.stringify(row).includes("retryDelay");
        assert.equal(thrown.retryAfterMs, hasPause ? 34_500 : undefined);
      }
    });

  it("names the field at fault, and nothing that the vendor said", async () => {
    const named = await refusalOf({
      code: 400,
      status: "INVALID_ARGUMENT",
      details: fields("generation_config.top_k"),
    });
    assert.equal(named.detail, "Parameter: generation_config.top_k.");
    const message = `Invalid JSON payload received. Unknown name "id" at 'contents[1].parts[0].function_call': Cannot find field.`;
    const quoted = await refusalOf({ code: 400, status: "INVALID_ARGUMENT", message });
    assert.equal(quoted.detail, "Parameter: contents[1].parts[0].function_call.");
    const other = await refusalOf({ code: 400, status: "INVALID_ARGUMENT", details: fields("secret.word") });
    assert.equal(other.publicMessage.includes("secret"), false);
  });

  it("names the setting that may be wrong", async () => {
    const { publicMessage } = await refusalOf({ code: 401, status: "UNAUTHENTICATED" });
    assert.ok(publicMessage.includes("GEMINI_API_KEY"));
  });
});

describe("a failure inside a stream of Gemini", () => {
  const rows: readonly (readonly [Row, ErrorCode, boolean])[] = [
    [{ code: 429, status: "RESOURCE_EXHAUSTED", details: [retry] }, "rate_limited", true],
    [{ code: 429, status: "RESOURCE_EXHAUSTED", details: [quota("PerDay"), retry] }, "quota_exceeded", false],
    [{ code: 500, status: "INTERNAL" }, "upstream_error", true],
    [{ code: 503, status: "UNAVAILABLE" }, "upstream_overloaded", true],
    [{ code: 400, status: "INVALID_ARGUMENT" }, "upstream_invalid_request", false],
  ];
  for (const [error, code, mayPass] of rows)
    it(`${JSON.stringify(error)} is ${code}, first or after text`, async () => {
      for (const before of [[], [text("A")]])
        for (const told of [{ error }, [{ error }]]) {
          const { thrown, text: said } = await hearEvents([...before, frame(told)]);
          assert.ok(thrown instanceof TroupeError);
          assert.deepEqual([thrown.code, thrown.safeToRepeat], [code, mayPass]);
          assert.equal(thrown.retryAfterMs, code === "rate_limited" ? 34_500 : undefined);
          assert.equal(said, before.length === 0 ? "" : "A");
        }
    });

  it("may have another form: a name, or an object without a status", async () => {
    for (const event of ["event: error\ndata: overloaded\n\n", frame({ error: { message: "overloaded" } })]) {
      const { thrown } = await hearEvents([text("A"), event]);
      assert.ok(thrown instanceof TroupeError);
      assert.equal(thrown.code, "upstream_overloaded");
    }
  });
});

describe("a parameter that a Gemini model does not know", () => {
  const answer = streamScript([text("Yes."), finish("STOP")]);
  const refusals: readonly (readonly [string, string])[] = [
    [
      "temperature",
      `Invalid JSON payload received. Unknown name "temperature" at 'generation_config': Cannot find field.`,
    ],
    ["topP", "topP is not supported by this model."],
    ["thinkingConfig", "Thinking is not supported for this model."],
    ["thinkingConfig", "Thinking level MINIMAL is not supported for this model."],
  ];
  for (const [name, message] of refusals)
    it(`is left out at once and from then on: ${message}`, async () => {
      await using under = await createGeminiSetup();
      const has = (body: unknown) => JSON.stringify(body).includes(`"${name}"`);
      const error = { code: 400, message, status: "INVALID_ARGUMENT" };
      under.double.respond(({ body }) => (has(body) ? plainResponse(400, { error }) : answer));
      const asked = {
        model: "gemini-flash-latest",
        temperature: 0.5,
        includeReasoning: true,
        options: { top_p: 0.5 },
      };
      for (const calls of [2, 3]) {
        const { text: said, thrown } = await hear(under, asked);
        assert.deepEqual([said, thrown, under.double.calls], ["Yes.", undefined, calls]);
      }
    });

  it("is told to the client if the answer could not be without it", async () => {
    await using under = await createGeminiSetup();
    const message = 'Unknown name "tools": Cannot find field.';
    under.double.respond(plainResponse(400, { error: { code: 400, message, status: "INVALID_ARGUMENT" } }));
    const { thrown } = await hear(under, { functions: [{ name: "rain", parameters: {} }] });
    assert.ok(thrown instanceof TroupeError);
    assert.deepEqual([thrown.code, under.double.calls], ["upstream_invalid_request", 1]);
  });
});
