import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import type { TroupeConfig } from "../../src/compose/config-file.ts";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { Provider } from "../../src/ports/provider.ts";
import { createModelServer, listing } from "../doubles/model-server.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { partialCatalog } from "./partial-catalog.ts";

const secret = "s3cret-key-0123456789";

async function modelsOf({ httpUrl }: RunningTroupe, headers: Record<string, string> = {}) {
  const response = await fetch(`${httpUrl}/api/models`, { headers });
  assert.equal(response.status, 200);
  const text = await response.text();
  assert.ok(!text.includes(secret) && !text.includes("127.0.0.1"), text);
  return JSON.parse(text).endpoints;
}

/** Settings with an endpoint for each address. */
function endpoints(addresses: Readonly<Record<string, string>>): TroupeOptions {
  const kind = "chat-completions";
  const providers = Object.fromEntries(
    Object.entries(addresses).map(([name, baseUrl]) => [name, { kind, baseUrl, key: secret } as const]),
  );
  const configuration: TroupeConfig = { providers };
  return { configuration, clock: createTestClock({ instantMs: 1_000 }) };
}

const state = { configured: true, simulated: false, reachable: true };
const price = null;

describe("GET /api/models", () => {
  it("lists each endpoint with its models, and says which are reached and why not", async () => {
    await using good = await createModelServer({ list: listing("bge-m3", "m-1", "m-2") });
    await using strict = await createModelServer({
      list(response) {
        response.statusCode = 401;
        response.end(JSON.stringify({ error: { message: `not this: ${secret}` } }));
      },
    });
    const options = endpoints({
      good: good.baseUrl,
      strict: strict.baseUrl,
      gone: "http://127.0.0.1:9/v1",
      pathless: good.baseUrl.slice(0, -"/v1".length),
    });
    const warnings: string[] = [];
    const nothing = () => undefined;
    const warn = (_: object, line: string) => void warnings.push(line.replace(/127\.0\.0\.1:\d\d+/, "HOST"));
    const logger = { debug: nothing, info: nothing, error: nothing, warn };
    await using server = await startTroupe({ ...options, logger });
    assert.deepEqual(warnings.sort(), [
      'api "gone": 127.0.0.1:9 is not there: nothing listens at this port; troupe doctor has a remedy',
      'api "strict": HOST refuses the key (status 401); troupe doctor has a remedy',
    ]);
    assert.deepEqual(await modelsOf(server), [
      {
        ...{ api: "good", is_default: true, ...state, default_model: "m-1" },
        models: [
          { id: "m-1", listed: true, price },
          { id: "m-2", listed: true, price },
        ],
      },
      {
        ...{ api: "strict", is_default: false, ...state },
        ...{ problem: "refuses the key (status 401)", models: [] },
      },
      {
        ...{ api: "gone", is_default: false, ...state, reachable: false },
        ...{ problem: "is not there: nothing listens at this port", models: [] },
      },
      {
        ...{ api: "pathless", is_default: false, ...state },
        problem: "answers 404 when asked for its models; most servers want /v1 at the end of the address",
        models: [],
      },
    ]);
  });

  it("lists a model that the settings name although its server does not", async () => {
    await using models = await createModelServer({ list: listing("m-1") });
    await using server = await startTroupe({ openaiBaseUrl: models.baseUrl, model: "m-0" });
    const [listed] = await modelsOf(server);
    assert.deepEqual(listed.models, [
      { id: "m-0", listed: false, price },
      { id: "m-1", listed: true, price },
    ]);
  });

  it("lists a local server, the demonstration, and nothing of an application's own catalog", async () => {
    await using models = await createModelServer({ list: listing("phi4") });
    await using local = await startTroupe({ localProviders: [models.baseUrl] });
    const found = { api: "openai", is_default: true, ...state, configured: false };
    const one = (id: string, its: object | null = price) => ({
      ...{ default_model: id, models: [{ id, listed: true, price: its }] },
    });
    const free = { input: 0, output: 0, approximate: false };
    assert.deepEqual(await modelsOf(local), [{ ...found, ...one("phi4") }]);
    await using simulated = await startTroupe();
    assert.deepEqual(await modelsOf(simulated), [{ ...found, simulated: true, ...one("demo", free) }]);
    const provider: Provider = { name: "p", simulated: false, stream: () => assert.fail("it is not called") };
    await using own = await startTroupe({ providers: partialCatalog(provider) });
    assert.deepEqual(await modelsOf(own), []);
  });

  it("asks once for simultaneous callers, and again only after five minutes", async () => {
    const clock = createTestClock({ instantMs: 1_000 });
    await using models = await createModelServer();
    await using server = await startTroupe({ openaiBaseUrl: models.baseUrl, clock });
    const asked = models.held();
    const answers = Promise.all([modelsOf(server), modelsOf(server)]);
    listing("m-1")(await asked);
    const [one, other] = await answers;
    assert.deepEqual(one, other);
    await clock.advance(299_000);
    await modelsOf(server);
    assert.equal(models.asked.length, 1);
    await clock.advance(2_000);
    const again = models.held();
    const later = modelsOf(server);
    listing("m-2")(await again);
    assert.equal((await later)[0].models.at(-1).id, "m-2");
    assert.equal(models.asked.length, 2);
  });

  it("asks a server that could not be reached again after ten seconds", async () => {
    const clock = createTestClock({ instantMs: 1_000 });
    let isUp = false;
    await using models = await createModelServer({
      list: (response) => (isUp ? listing("m-1")(response) : void response.destroy()),
    });
    await using server = await startTroupe({ openaiBaseUrl: models.baseUrl, clock });
    assert.equal((await modelsOf(server))[0].problem, "hangs up");
    isUp = true;
    await clock.advance(9_000);
    assert.equal((await modelsOf(server))[0].problem, "hangs up");
    await clock.advance(2_000);
    assert.equal((await modelsOf(server))[0].problem, undefined);
  });

  it("asks Anthropic and Gemini in their own way, and tells their refusals", async () => {
    const asked: (readonly [string | undefined, unknown])[] = [];
    const vendors = createServer(({ url, headers }, response) => {
      asked.push([url, headers["x-api-key"] ?? headers["x-goog-api-key"]]);
      const supportedGenerationMethods = ["generateContent"];
      if (url?.startsWith("/v1/"))
        response.end(JSON.stringify({ data: [{ id: "claude-1" }], has_more: false }));
      else if (url?.startsWith("/v1beta/"))
        response.end(JSON.stringify({ models: [{ name: "models/gemini-1", supportedGenerationMethods }] }));
      else {
        response.statusCode = 400;
        response.end(JSON.stringify({ error: { details: [{ reason: "API_KEY_INVALID" }] } }));
      }
    }).listen(0, "127.0.0.1");
    await once(vendors, "listening");
    const at = `http://127.0.0.1:${(vendors.address() as AddressInfo).port}`;
    const configuration = {
      providers: {
        anthropic: { baseUrl: at, key: secret },
        gemini: { baseUrl: at, key: secret },
        other: { kind: "gemini", baseUrl: `${at}/v1alpha`, key: secret },
      },
    } as const;
    await using server = await startTroupe({ configuration });
    const listed = await modelsOf(server);
    assert.deepEqual(
      listed.map((one: { default_model?: string; problem?: string }) => one.default_model ?? one.problem),
      ["claude-1", "gemini-1", "refuses the key (status 400)"],
    );
    assert.deepEqual(asked.sort(), [
      ["/v1/models?limit=1000", secret],
      ["/v1alpha/models?pageSize=1000", secret],
      ["/v1beta/models?pageSize=1000", secret],
    ]);
    vendors.close();
    vendors.closeAllConnections();
  });

  it("keeps at most a thousand models of a server, and refuses a list without an end", async () => {
    const many = Array.from({ length: 1_500 }, (_, at) => `m-${at}`);
    await using long = await createModelServer({ list: listing("x".repeat(300), ...many) });
    await using endless = await createModelServer({
      list(response) {
        const write = () => {
          while (!response.destroyed && response.write(" ".repeat(65_536)));
          if (!response.destroyed) response.once("drain", write);
        };
        write();
      },
    });
    await using server = await startTroupe(endpoints({ long: long.baseUrl, endless: endless.baseUrl }));
    const [kept, refused] = await modelsOf(server);
    assert.equal(kept.models.length, 1_000);
    assert.equal(kept.models[0].id, "m-0");
    assert.deepEqual(
      [refused.reachable, refused.problem],
      [true, "answers something other than a list of models"],
    );
  });

  it("is for callers with a key if callers need one", async () => {
    await using server = await startTroupe({ apiKeys: [{ owner: "ada", key: "0123456789abcdef" }] });
    assert.equal((await fetch(`${server.httpUrl}/api/models`)).status, 401);
    assert.equal((await modelsOf(server, { authorization: "Bearer 0123456789abcdef" })).length, 1);
  });
});
