import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { TroupeError } from "../../../../src/protocol/errors.ts";
import type { Script } from "../../../doubles/script.ts";
import { httpError, plainResponse, streamHead } from "../../../doubles/stream-script.ts";
import { createProviderSetup } from "../provider-setup.ts";
import { createSocketSetup, frame, readCall } from "./read-call.ts";

const noKey = (thrown: unknown) =>
  assert.equal(inspect(thrown, { depth: 9, showHidden: true }).includes("key-of-a-test"), false);

/** Everything of an error that decides about the call, and its advice. */
function readError(thrown: unknown) {
  assert.ok(thrown instanceof TroupeError, String(thrown));
  noKey(thrown);
  const { code, safeToRepeat, isUnread, retryAfterMs, detail, field } = thrown;
  return { code, safeToRepeat, isUnread, retryAfterMs, detail, field };
}

describe("a server that has no WebSocket", () => {
  const refusals: readonly Script[] = [
    httpError(426, "Upgrade Required"),
    httpError(404, { message: "Invalid URL (GET /v1/responses)", type: "invalid_request_error", code: null }),
    httpError(400, "no upgrade"),
    httpError(405, { message: "Method Not Allowed", type: null, code: null }),
    httpError(501, ""),
    plainResponse(200, { object: "list", data: [] }),
    plainResponse(204, ""),
    plainResponse(302, "", { location: "http://127.0.0.1:9/v1/responses" }),
  ];
  for (const refusal of refusals)
    it(`is called over HTTP, and asked for one only once: ${JSON.stringify(refusal[0])}`, async () => {
      await using at = await createSocketSetup();
      at.double.refuseUpgrades(refusal);
      for (let call = 0; call < 3; call += 1) {
        const { text, thrown } = await readCall(at);
        assert.deepEqual([text, thrown], ["Hello, how can I help?", undefined]);
      }
      assert.deepEqual(
        at.double.requests.map(({ method }) => method),
        ["POST", "POST", "POST"],
      );
      assert.equal(at.double.upgrades.length, 1);
      assert.deepEqual(
        at.warnings.map(({ warning }) => warning),
        ["The provider takes no WebSocket. Its calls go over HTTP from now on."],
      );
      noKey(at.warnings);
    });

  it("tells the error of the call over HTTP if that fails as well", async () => {
    await using at = await createSocketSetup();
    at.double.refuseUpgrades(httpError(404, "no"));
    at.double.respond(httpError(500, { message: "key-of-a-test", type: null, code: null }));
    const { thrown } = await readCall(at);
    assert.equal(readError(thrown).code, "upstream_error");
    assert.deepEqual([at.double.upgrades.length, at.double.calls], [1, 1]);
  });
});

describe("a refusal", () => {
  const said = (code: string | null, type: string | null = null) => ({
    ...{ message: "The key key-of-a-test is said.", type, code },
  });
  const later = new Date(1_700_000_000_000 + 9_000).toUTCString();
  const ofCalls: readonly (readonly [status: number, ...Parameters<typeof httpError>])[] = [
    [401, 401, said("invalid_api_key", "invalid_request_error")],
    [403, 403, said("unsupported_country_region_territory")],
    [429, 429, said("rate_limit_exceeded"), { "retry-after": "7" }],
    [429, 429, said("insufficient_quota"), { "retry-after": "7" }],
    [429, 429, said(null), { "retry-after-ms": "250" }],
    [429, 429, said(null), { "retry-after": later }],
    [500, 500, said("server_error")],
    [500, 500, said(null), { "x-should-retry": "false" }],
    [502, 502, said(null)],
    [503, 503, said("server_is_overloaded")],
    [504, 504, said(null)],
  ];
  const ofFrames: typeof ofCalls = [
    ...ofCalls,
    [400, 400, said("previous_response_not_found", "invalid_request_error")],
    [400, 400, said("context_length_exceeded", "invalid_request_error")],
    [400, 400, { ...said("invalid_value", "invalid_request_error"), param: "temperature" }],
    [400, 400, { ...said(null), message: "Your input exceeds the context window of this model." }],
    [404, 404, { ...said("model_not_found"), param: "model" }],
    [422, 422, said(null)],
  ];

  /** The error of the same refusal over HTTP. */
  async function overHttp(script: Script) {
    await using at = await createProviderSetup();
    at.double.respond(script);
    return readError((await readCall(at)).thrown);
  }

  for (const [status, ...refusal] of ofCalls)
    it(`of the upgrade is the refusal of a call: ${status} ${JSON.stringify(refusal.slice(1))}`, async () => {
      await using at = await createSocketSetup();
      at.double.refuseUpgrades(httpError(...refusal));
      assert.deepEqual(readError((await readCall(at)).thrown), await overHttp(httpError(...refusal)));
      assert.deepEqual([at.double.upgrades.length, at.double.calls, at.clock.sleeping], [1, 0, 0]);
    });

  for (const [status, , error, headers = {}] of ofFrames)
    for (const form of ["nested", "headers inside", "flat"])
      it(`in a frame, ${form}, is the refusal of a call: ${status} ${JSON.stringify([error, headers])}`, async () => {
        await using at = await createSocketSetup();
        const inner = error as object;
        const event = {
          nested: { type: "error", status, headers, error: inner },
          "headers inside": { type: "error", status, error: { ...inner, headers } },
          flat: { ...inner, type: "error", status, headers },
        }[form];
        at.double.respond([streamHead(), { write: frame(event ?? {}) }, { hang: true }]);
        const { thrown } = await readCall(at);
        assert.deepEqual(readError(thrown), await overHttp(httpError(status, error, headers)));
        assert.deepEqual([at.double.calls, at.connections(), at.clock.sleeping], [1, 0, 0]);
      });

  it("in a frame without a status is read by its code", async () => {
    await using at = await createSocketSetup();
    const codes = {
      previous_response_not_found: "previous_response_not_found",
      rate_limit_exceeded: "rate_limited",
      server_error: "upstream_error",
      invalid_stream_id: "upstream_error",
    };
    for (const [code, expected] of Object.entries(codes))
      for (const event of [
        { type: "error", code, message: "m" },
        { type: "error", error: { code, message: "m" } },
      ]) {
        at.double.respond([streamHead(), { write: frame(event) }]);
        assert.equal((await readCall(at)).code, expected);
      }
  });

  it("of the connection is that of HTTP", async () => {
    const baseUrl = () => "http://127.0.0.1:9/v1";
    await using socket = await createProviderSetup({ baseUrl, transport: "websocket" });
    await using http = await createProviderSetup({ baseUrl });
    const { thrown } = await readCall(socket);
    assert.deepEqual(readError(thrown), readError((await readCall(http)).thrown));
    assert.equal(readError(thrown).code, "upstream_unreachable");
  });

  it("by a server that accepts the upgrade wrongly is no answer", async () => {
    await using at = await createSocketSetup();
    const head = (accept: string) =>
      `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ${accept}\r\n\r\n`;
    at.double.refuseUpgrades([{ writeRaw: head("no") }, { hang: true }]);
    assert.equal((await readCall(at)).code, "upstream_invalid");
    assert.equal(at.connections(), 0);
  });
});
