import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { createModelServer, listing } from "../doubles/model-server.ts";
import { createProxyDouble } from "../doubles/proxy-double.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { textOf } from "../support/wire-client.ts";

const far = "http://provider.example/v1";

async function ask(options: TroupeOptions) {
  await using server = await startTroupe({
    openaiApiKey: "k",
    clock: createTestClock({ instantMs: 30_000 }),
    ...options,
  });
  const client = await server.connect();
  client.send({ type: "openai_chat", data: { input_text: "Hi" } });
  const messages = await client.untilTerminal();
  return { messages, text: textOf(messages), end: messages.at(-1), summary: server.troupe.providerSummary };
}

describe("a call over a proxy", () => {
  for (const [name, settings] of [
    ["HTTP_PROXY", (host: string) => ({ httpProxy: `http://${host}` })],
    ["HTTP_PROXY without a scheme", (host: string) => ({ httpProxy: host })],
    ["HTTP_PROXY with a slash", (host: string) => ({ httpProxy: `http://${host}/` })],
    ["ALL_PROXY", (host: string) => ({ allProxy: host })],
    ["HTTP_PROXY before ALL_PROXY", (host: string) => ({ httpProxy: host, allProxy: "http://127.0.0.1:9" })],
    [
      "NO_PROXY that covers others",
      (host: string) => ({ httpProxy: host, noProxy: "other.example,10.0.0.0/8" }),
    ],
  ] as const) {
    it(`goes there by ${name}, and the summary says so`, async () => {
      await using upstream = await createUpstreamDouble();
      await using proxy = await createProxyDouble(upstream.baseUrl);
      const { text, summary } = await ask({ openaiBaseUrl: far, ...settings(proxy.host) });
      assert.notEqual(text, "");
      assert.deepEqual(
        proxy.calls.map(({ method, target }) => `${method} ${target}`),
        [`POST ${far}/responses`],
      );
      assert.equal(summary, `api "openai" is answered by provider.example over the proxy ${proxy.host}`);
    });
  }

  it("never goes there for this machine, whichever name it has: not by HTTP_PROXY, not by ALL_PROXY", async () => {
    await using upstream = await createUpstreamDouble();
    await using proxy = await createProxyDouble(upstream.baseUrl);
    const { port } = new URL(upstream.baseUrl);
    for (const host of ["127.0.0.1", "localhost"])
      for (const settings of [{ httpProxy: proxy.host }, { allProxy: proxy.host }]) {
        const { summary } = await ask({ openaiBaseUrl: `http://${host}:${port}/v1`, ...settings });
        assert.equal(summary, `api "openai" is answered by ${host}:${port}`);
      }
    assert.deepEqual(proxy.calls, []);
  });

  it("nor for looking for local models", async () => {
    await using models = await createModelServer({ list: listing("phi4") });
    await using proxy = await createProxyDouble(models.baseUrl);
    await using server = await startTroupe({ httpProxy: proxy.host, localProviders: [models.baseUrl] });
    assert.equal(server.troupe.simulated, false);
    assert.deepEqual(proxy.calls, []);
  });

  it("to an https: address is a tunnel of HTTPS_PROXY, and not of HTTP_PROXY", async () => {
    await using proxy = await createProxyDouble();
    await using other = await createProxyDouble();
    const { end } = await ask({
      ...{ openaiBaseUrl: "https://provider.example/v1", httpsProxy: proxy.host, httpProxy: other.host },
    });
    assert.ok(end?.type === "error" && end.code === "upstream_unreachable");
    assert.deepEqual(
      [...new Set(proxy.calls.map(({ method, target }) => `${method} ${target}`))],
      ["CONNECT provider.example:443"],
    );
    assert.deepEqual(other.calls, []);
  });
});

it("a proxy's password reaches the proxy, and neither a client nor the log", async () => {
  const logged: string[] = [];
  const note = (fields: object, text: string) => {
    const { err } = fields as { err?: unknown };
    for (let error = err; error instanceof Error; error = error.cause)
      logged.push(String(error.stack), JSON.stringify(Object.entries(error)));
    logged.push(JSON.stringify(fields), text);
  };
  const logger = { debug: note, info: note, warn: note, error: note };
  const seen: string[] = [];
  for (const openaiBaseUrl of [far, "https://provider.example/v1"]) {
    await using proxy = await createProxyDouble();
    const address = `http://ada:s3cret%20pass@${proxy.host}`;
    const { messages, summary } = await ask({ openaiBaseUrl, allProxy: address, logger });
    assert.equal(proxy.calls[0]?.authorization, `Basic ${btoa("ada:s3cret pass")}`);
    seen.push(JSON.stringify(messages), summary);
  }
  assert.ok(logged.length > 0);
  for (const text of [...logged, ...seen])
    for (const secret of ["s3cret pass", "s3cret%20pass", btoa("ada:s3cret pass")])
      assert.ok(!text.includes(secret), text);
});
