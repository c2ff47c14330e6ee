import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { adviceFor as adviceWith } from "../../src/adapters/upstream/provider-advice.ts";
import { NoConnectionError } from "../../src/adapters/upstream/upstream-call.ts";
import { type ErrorCode, errorTable, TroupeError } from "../../src/protocol/errors.ts";
import { plainResponse } from "../doubles/stream-script.ts";
import { createFaultBench, type FaultBench } from "./fault-bench.ts";
import { askedModel as model, providerRefusals, theirWords } from "./provider-refusals.ts";

const words = { keySetting: "OPENAI_API_KEY", urlSetting: "OPENAI_BASE_URL", api: "Responses API" };
const adviceFor = (error: TroupeError, asked: string) => adviceWith(error, asked, words);

/** The one line that a failure writes to the log at the default levels. */
function lineOf({ logged }: FaultBench): string {
  const line = logged.find((one) => one.startsWith("a request failed: "));
  assert.ok(line !== undefined, logged.join("\n"));
  assert.doesNotMatch(line, /\n|\n\s+at /);
  return line;
}

async function failureOf(bench: FaultBench) {
  bench.ask({ model });
  const last = (await bench.untilTerminal()).at(-1);
  assert.ok(last?.type === "error" && last.code !== undefined);
  assert.ok(last.message.startsWith(`${errorTable[last.code as ErrorCode].message} `), last.message);
  return last;
}

describe("a refusal of the provider gives the client advice, and the log the provider's words in one line", () => {
  for (const { kind, status, error, code, advice } of providerRefusals) {
    it(kind, async () => {
      await using bench = await createFaultBench({ instantMs: 1_000 });
      bench.double.respond(plainResponse(status, typeof error === "string" ? error : { error }));
      const failure = await failureOf(bench);
      assert.equal(failure.code, code);
      assert.match(failure.message.slice(errorTable[code].message.length + 1), advice);
      assert.ok(
        !JSON.stringify(bench.client.received).includes(theirWords),
        "a client reads the vendor's words",
      );
      const line = lineOf(bench);
      assert.ok(line.includes(failure.message) && line.includes(String(status)), line);
      if (JSON.stringify(error).includes(theirWords)) assert.ok(line.includes(theirWords), line);
    });
  }

  it("a redirect", async () => {
    await using bench = await createFaultBench();
    bench.double.respond(plainResponse(308, "", { location: "http://127.0.0.1:9/" }));
    const { code, message } = await failureOf(bench);
    assert.equal(code, "upstream_invalid");
    assert.match(message, /It redirects: set OPENAI_BASE_URL/);
  });

  it("a model's name is cut and cannot break the line", () => {
    const error = new TroupeError("model_not_found");
    const advice = adviceFor(error, `evil\n\u001b[2J${"x".repeat(500)}`);
    assert.match(advice ?? "", /^The model is "evil\[2Jx{90,96}": name another/);
  });
});

describe("a provider that cannot be reached tells why, and which setting to look at", () => {
  const withCode = (code: string, more: object = {}) =>
    new NoConnectionError("No connection came about.", {
      cause: Object.assign(new Error("failed"), { code, ...more }),
    });
  const rows: readonly [string, readonly string[], RegExp][] = [
    ["no listener", ["ECONNREFUSED"], /^Nothing listens at its address: start it, or check OPENAI_BASE_URL/],
    [
      "a name that is not known",
      ["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL"],
      /^A host name cannot be resolved: check OPENAI_BASE_URL/,
    ],
    ["no way there", ["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"], /^There is no way to it: .*HTTPS_PROXY/],
    [
      "an issuer that is not known",
      [
        "SELF_SIGNED_CERT_IN_CHAIN",
        "DEPTH_ZERO_SELF_SIGNED_CERT",
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
      ],
      /NODE_EXTRA_CA_CERTS\.$/,
    ],
    [
      "a certificate out of its time",
      ["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"],
      /this machine's clock is wrong\.$/,
    ],
    [
      "a certificate of another name",
      ["ERR_TLS_CERT_ALTNAME_INVALID"],
      /for another host name: check OPENAI_BASE_URL\.$/,
    ],
    [
      "no TLS there",
      ["EPROTO", "ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG"],
      /^It does not speak TLS at this address/,
    ],
    [
      "a proxy that refuses",
      ["ERR_PROXY_TUNNEL"],
      /^The proxy lets nothing through to it: check HTTPS_PROXY and NO_PROXY\.$/,
    ],
  ];
  for (const [kind, codes, advice] of rows) {
    it(`${kind}: ${codes.join(", ")}`, () => {
      for (const code of codes)
        assert.match(
          adviceFor(new TroupeError("upstream_unreachable", { cause: withCode(code) }), model) ?? "",
          advice,
        );
    });
  }

  it("a proxy that wants a password: 407 to CONNECT", () => {
    const cause = withCode("ERR_PROXY_TUNNEL", { statusCode: 407 });
    assert.match(
      adviceFor(new TroupeError("upstream_unreachable", { cause }), model) ?? "",
      /^The proxy wants a name and a password/,
    );
  });

  async function failureAt(openaiBaseUrl: string) {
    await using bench = await createFaultBench({ openaiBaseUrl, instantMs: 1_000 });
    const failure = await failureOf(bench);
    return { ...failure, line: lineOf(bench) };
  }

  /** Runs a server of another protocol while `use` runs. */
  async function withServer<T>(server: Server, use: (port: number) => Promise<T>): Promise<T> {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      return await use((server.address() as AddressInfo).port);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it("in a whole server: refused, unknown, and TLS with a port that has none", async () => {
    const closed = await withServer(createServer(), async (port) => port);
    const refused = await failureAt(`http://127.0.0.1:${closed}/v1`);
    assert.match(refused.message, /Nothing listens at its address/);
    assert.match(refused.line, /connect ECONNREFUSED 127\.0\.0\.1:\d+/);
    assert.match((await failureAt("http://upstream.invalid/v1")).message, /A host name cannot be resolved/);
    const noTls = await withServer(createServer(), (port) => failureAt(`https://127.0.0.1:${port}/v1`));
    assert.match(noTls.message, /It does not speak TLS at this address/);
  });
});
