import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createUpstreamAgents } from "../../src/adapters/upstream/upstream-call.ts";
import type { TroupeConfig } from "../../src/compose/config-file.ts";
import { examineProviders } from "../../src/compose/doctor.ts";
import { completeSettings } from "../../src/compose/read-settings.ts";
import type { Settings } from "../../src/compose/settings.ts";
import { createModelServer, listing } from "../doubles/model-server.ts";
import { createProxyDouble } from "../doubles/proxy-double.ts";
import { plainResponse } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { createTestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";

const key = "s3cret-key-0123456789";
const kind = "responses";

interface Examined extends Pick<TroupeConfig, "providers" | "fallback" | "prices"> {
  readonly settings?: Partial<Settings>;
  readonly clock?: ReturnType<typeof createTestClock>;
  readonly proxy?: string;
}

/** The report, with ports left out. */
async function examine({ settings = {}, clock = createTestClock(), proxy, ...file }: Examined) {
  using agents = createUpstreamAgents({ all: proxy });
  const configuration = file.providers === undefined ? undefined : file;
  const { lines, canAnswer } = await examineProviders({
    settings: completeSettings({ localProviders: [], ...settings }),
    ...{ configuration, agents, clock },
  });
  const text = lines.join("\n");
  assert.ok(!text.includes(key), text);
  return { lines: text.replaceAll(/127\.0\.0\.1:\d{2,}/g, "HOST").split("\n"), canAnswer };
}

describe("troupe doctor", () => {
  it("without any provider says what is missing, and where it looked", async () => {
    const advice =
      "  -> Set OPENAI_API_KEY or the key of another vendor, write troupe.json, or start a local model server.";
    assert.deepEqual(await examine({}), {
      canAnswer: false,
      lines: [
        "No key is set, and TROUPE_LOCAL_PROVIDERS names no local server.",
        "Every answer would be a scripted demonstration.",
        advice,
      ],
    });
    await using empty = await createModelServer({ list: listing() });
    const localProviders = ["http://127.0.0.1:9/v1", empty.baseUrl];
    assert.deepEqual((await examine({ settings: { localProviders } })).lines, [
      "No key is set, and no local server can answer:",
      "  http://127.0.0.1:9/v1 is not there: nothing listens at this port",
      "  http://HOST/v1 has no model yet",
      "Every answer would be a scripted demonstration.",
      advice,
    ]);
  });

  it("asks a local server that was found for a word", async () => {
    await using upstream = await createUpstreamDouble({ models: ["phi4"] });
    const { lines, canAnswer } = await examine({ settings: { localProviders: [upstream.baseUrl] } });
    assert.deepEqual(lines, [
      "No key is set. A local server was found:",
      "",
      "  ready   openai  HOST answers with phi4",
      "",
      '1 of 1 can answer. Requests that name no api go to "openai", model phi4.',
    ]);
    assert.ok(canAnswer);
    assert.equal(upstream.calls, 1);
  });

  it("opens a WebSocket where calls are to travel over one, and tells how they will", async () => {
    await using taking = await createUpstreamDouble({ models: ["one"], webSocket: true });
    await using lacking = await createUpstreamDouble({ models: ["two"] });
    await using refusing = await createUpstreamDouble({ models: ["three"] });
    await using unasked = await createUpstreamDouble({ models: ["four"], webSocket: true });
    refusing.refuseUpgrades(plainResponse(403, { error: { message: `not with ${key}` } }));
    const transport = "websocket";
    const { lines } = await examine({
      providers: {
        taking: { kind, baseUrl: taking.baseUrl, key, transport },
        lacking: { kind, baseUrl: lacking.baseUrl, key, transport },
        refusing: { kind, baseUrl: refusing.baseUrl, key, transport },
        unasked: { kind, baseUrl: unasked.baseUrl, key },
      },
    } as const);
    assert.deepEqual(lines.slice(0, 2), [
      "  ready   taking    HOST answers with one, over WebSocket",
      "  ready   lacking   HOST answers with two, over HTTP: it takes no WebSocket",
    ]);
    assert.match(lines[2] ?? "", /failed {2}refusing {2}HOST fails with three: upstream_auth/);
    assert.ok(lines.includes("  ready   unasked   HOST answers with four"));
    assert.deepEqual([taking.calls, unasked.upgrades.length], [1, 0]);
    await until(() => taking.openConnections() === 0);
  });

  it("tells a wrong key, a missing one, a dead server and one that fails, beside one that answers", async () => {
    await using strict = await createModelServer({
      list(response) {
        response.statusCode = 401;
        response.end("{}");
      },
    });
    await using good = await createUpstreamDouble({ models: ["good-1"] });
    await using broken = await createUpstreamDouble({ models: ["broken-1"] });
    broken.respond(plainResponse(500, { error: { message: `it broke: ${key}` } }));
    const { lines, canAnswer } = await examine({
      providers: {
        strict: { kind, baseUrl: strict.baseUrl, key },
        keyless: { kind, baseUrl: strict.baseUrl },
        gone: { kind, baseUrl: "http://127.0.0.1:9/v1", key },
        broken: { kind, baseUrl: broken.baseUrl, key },
        good: { kind, baseUrl: good.baseUrl, key },
      },
    });
    assert.deepEqual(lines, [
      "  refused strict   HOST refuses the key (status 401)",
      "                   -> Check providers.strict.key in the config file: it is wrong, expired or revoked.",
      "  refused keyless  HOST refuses the key (status 401)",
      "                   -> Set providers.keyless.key in the config file.",
      "  dead    gone     127.0.0.1:9 is not there: nothing listens at this port",
      "                   -> Start it, or correct providers.gone.baseUrl in the config file.",
      "  failed  broken   HOST fails with broken-1: upstream_error",
      "                   -> The model provider reported a failure.",
      "  ready   good     HOST answers with good-1",
      "",
      '1 of 5 can answer. Requests that name no api go to "strict". That one cannot answer: name another in the request, or put it first in the config file.',
    ]);
    assert.ok(canAnswer);
  });

  it("waits for a model that has to load, and then says so", async () => {
    const clock = createTestClock({ instantMs: 1_000 });
    await using cold = await createUpstreamDouble({ models: ["large-1"] });
    cold.respond([{ hang: true }]);
    const examining = examine({ settings: { openaiBaseUrl: cold.baseUrl, model: "large-1" }, clock });
    await cold.received(1);
    await clock.advance(20_000);
    const { lines, canAnswer } = await examining;
    assert.deepEqual(lines, [
      "  slow    openai  HOST has not answered with large-1 within 20 s",
      "                  -> The model may still be loading: ask again. The server waits up to 10 minutes, or TROUPE_FIRST_BYTE_MS.",
      "",
      '1 of 1 can answer. Requests that name no api go to "openai", model large-1.',
    ]);
    assert.ok(canAnswer);
  });

  it("tells that a server lacks the model, and which ones it has", async () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    await using models = await createModelServer({ list: listing(...names) });
    const { lines } = await examine({ settings: { openaiBaseUrl: models.baseUrl } });
    assert.deepEqual(lines.slice(0, 2), [
      "  unsure  openai  HOST lists 6 models, but not gpt-4o-mini",
      '                  -> Name one that it has: a, b, c, d, e, .... TROUPE_MODEL sets it, or "model" in the config file.',
    ]);
  });

  it("asks a vendor elsewhere only for its models, which costs nothing", async () => {
    await using upstream = await createUpstreamDouble();
    await using proxy = await createProxyDouble(upstream.baseUrl);
    const { lines } = await examine({
      settings: { openaiBaseUrl: "http://vendor.example/v1", openaiApiKey: key },
      proxy: `http://${proxy.host}`,
    });
    assert.equal(lines[0], "  ready   openai  vendor.example lists 1 model; gpt-4o-mini answers");
    assert.equal(upstream.calls, 0);
  });

  it("prints the links of each fallback chain, whether they can answer, and their prices", async () => {
    await using first = await createUpstreamDouble({ models: ["gpt-4o-mini", "house-1"] });
    await using second = await createUpstreamDouble({ models: ["house-1"] });
    const [main, spare] = [first, second].map(({ baseUrl }) => ({ kind, baseUrl, key }) as const);
    assert.ok(main !== undefined && spare !== undefined);
    const { lines, canAnswer } = await examine({
      providers: {
        main: { ...main, pricedAs: "openai", model: "gpt-4o-mini" },
        spare,
        gone: { kind, baseUrl: "http://127.0.0.1:9/v1", key, model: "m" },
      },
      fallback: {
        main: ["spare", "spare/house-9", "gone", "anthropic/claude-sonnet-4-5"],
        spare: ["main/house-1"],
      },
      prices: { "spare/house-1": { input: 0, output: 0 }, "house-1": { input: 1, output: 2 } },
      settings: { fallback: [["gone", "main"]] },
    });
    assert.equal(canAnswer, true);
    assert.deepEqual(lines.slice(lines.findIndex((line) => line.startsWith("Fallback of"))), [
      "Fallback of gone: 1 of 2 links can answer.",
      "  fails   gone/m            cannot answer: see above",
      "  ready   main/gpt-4o-mini  costs $0.15 for a million tokens of input, $0.6 of output",
      "",
      "Fallback of main: 3 of 5 links can answer.",
      "  ready   main/gpt-4o-mini             costs $0.15 for a million tokens of input, $0.6 of output",
      "  ready   spare/house-1                is free",
      "  unsure  spare/house-9                is not in the list of spare; has no known price",
      "  fails   gone/m                       cannot answer: see above",
      "  missing anthropic/claude-sonnet-4-5  is not configured, or its key is not set",
      "",
      "Fallback of spare: 2 of 2 links can answer.",
      "  ready   spare/house-1  is free",
      "  ready   main/house-1   costs $1 for a million tokens of input, $2 of output",
    ]);
  });

  it("prints a chain whose first endpoint is not there, or has told no model", async () => {
    await using spare = await createUpstreamDouble({ models: ["house-1"] });
    const { lines } = await examine({
      providers: {
        spare: { kind, baseUrl: spare.baseUrl, key },
        gone: { kind, baseUrl: "http://127.0.0.1:9/v1", key },
      },
      fallback: { groq: ["spare"], gone: ["spare"] },
    });
    assert.deepEqual(lines.slice(lines.findIndex((line) => line.startsWith("Fallback of"))), [
      "Fallback of groq: 1 of 2 links can answer.",
      "  missing groq   is not configured, or its key is not set",
      "  ready   spare  answers with its own model",
      "",
      "Fallback of gone: 1 of 2 links can answer.",
      "  fails   gone   cannot answer: see above",
      "  ready   spare  answers with its own model",
    ]);
  });
});
