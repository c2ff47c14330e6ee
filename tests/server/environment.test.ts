import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { createProxyDouble, type ProxyDouble } from "../doubles/proxy-double.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const elsewhere = "http://127.0.0.1:9/v1";

/** Variables of the SDK, Node and other tools. Each would change a call's destination or its content. */
const variables: Readonly<Record<string, string>> = {
  OPENAI_API_KEY: "key-of-the-environment",
  OPENAI_BASE_URL: elsewhere,
  OPENAI_ADMIN_KEY: "admin-key-of-the-environment",
  OPENAI_ORG_ID: "org-of-the-environment",
  OPENAI_PROJECT_ID: "project-of-the-environment",
  OPENAI_CUSTOM_HEADERS:
    "Authorization: Bearer of-the-environment\nX-Of: the-environment\nUser-Agent: of-the-environment",
  OPENAI_WEBHOOK_SECRET: "secret-of-the-environment",
  OPENAI_LOG: "debug",
  TROUPE_MODEL: "model-of-the-environment",
  TROUPE_FIRST_BYTE_MS: "1",
  TROUPE_LOCAL_PROVIDERS: elsewhere,
  NODE_USE_ENV_PROXY: "1",
  NO_PROXY: "",
};

describe("a server in somebody's program reads no environment", () => {
  const kept = { ...process.env };
  let proxy: ProxyDouble;
  before(async () => {
    proxy = await createProxyDouble();
    for (const scheme of ["HTTP", "HTTPS", "ALL"])
      for (const name of [`${scheme}_PROXY`, `${scheme}_PROXY`.toLowerCase()])
        process.env[name] = `http://${proxy.host}`;
    Object.assign(process.env, variables);
  });
  after(async () => {
    for (const name of Object.keys(process.env)) if (!(name in kept)) delete process.env[name];
    Object.assign(process.env, kept);
    await proxy[Symbol.asyncDispose]();
  });

  async function headersOf(options: TroupeOptions) {
    await using upstream = await createUpstreamDouble();
    await using server = await startTroupe({ openaiBaseUrl: upstream.baseUrl, ...options });
    const client = await server.connect();
    client.send({ type: "openai_chat", data: { input_text: "Hi" } });
    const messages = await client.untilTerminal();
    assert.equal(messages.at(-1)?.type, "response");
    assert.doesNotMatch(JSON.stringify(upstream.requests), /the-environment/);
    return upstream.requests[0]?.headers ?? {};
  }

  it("which could send its key elsewhere, add headers, or take a proxy", async () => {
    const headers = await headersOf({ openaiApiKey: "its-own-key" });
    assert.equal(headers.authorization, "Bearer its-own-key");
    assert.deepEqual(
      [headers["openai-organization"], headers["openai-project"], headers["x-of"]],
      [undefined, undefined, undefined],
    );
    assert.deepEqual(proxy.calls, []);
  });

  it("which has a key of OpenAI's: without options the demonstration answers", async () => {
    await using server = await startTroupe();
    assert.equal(server.troupe.simulated, true);
  });

  it("which has a base address: a key alone goes to OpenAI", async () => {
    await using other = await createUpstreamDouble();
    process.env.OPENAI_BASE_URL = other.baseUrl;
    // This proxy is the end of the way to OpenAI. Its requests name the host that the call is for.
    await using way = await createProxyDouble();
    const options = { openaiApiKey: "its-own-key", httpsProxy: way.host };
    await using server = await startTroupe({ ...options, clock: createTestClock({ instantMs: 30_000 }) });
    assert.match(server.troupe.providerSummary, /^api "openai" is answered by OpenAI over the proxy /);
    const client = await server.connect();
    client.send({ type: "openai_chat", data: { input_text: "Hi" } });
    await client.untilTerminal();
    assert.equal(other.calls, 0);
    assert.deepEqual([...new Set(way.calls.map(({ target }) => target))], ["api.openai.com:443"]);
  });

  it("but its own options, which are the settings of the command line", async () => {
    const headers = await headersOf({
      openaiApiKey: "its-own-key",
      openaiOrganization: "org-1",
      openaiProject: "proj-1",
      openaiHeaders: { "x-gateway": "a", "User-Agent": "mine" },
    });
    assert.deepEqual(
      [
        headers["openai-organization"],
        headers["openai-project"],
        headers["x-gateway"],
        headers["user-agent"],
      ],
      ["org-1", "proj-1", "a", "mine"],
    );
  });
});
