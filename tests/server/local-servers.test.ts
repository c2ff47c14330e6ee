import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { passLoopTurns } from "../adapters/upstream/call-setup.ts";
import { createModelServer, listing, type ModelServer } from "../doubles/model-server.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";

/** A logger that keeps its warnings. */
function listener() {
  const warnings: string[] = [];
  const nothing = () => undefined;
  const logger = {
    debug: nothing,
    info: nothing,
    error: nothing,
    warn: (_: object, text: string) => void warnings.push(text),
  };
  return { logger, warnings };
}

/** Moves the time until the server is asked for its list again, but not beyond the server's patience. */
async function askedAgain(models: ModelServer, clock: TestClock) {
  const asked = models.held();
  let isAsked = false;
  void asked.then(() => {
    isAsked = true;
  });
  while (!isAsked) {
    await clock.advance(500);
    await passLoopTurns();
  }
  return asked;
}

describe("which model of a local server answers", () => {
  const cases: readonly (readonly [name: string, models: readonly (string | object)[], chosen: string])[] = [
    ["Ollama: an embedding model first", ["nomic-embed-text:latest", "llama3.2:3b"], "llama3.2:3b"],
    ["LM Studio: its own embedding model", ["text-embedding-nomic-embed-text-v1.5", "qwen3-8b"], "qwen3-8b"],
    [
      "named without the word",
      ["bge-m3", "mxbai-embed-large", "all-minilm:l6", "e5-base", "gte-large", "phi4"],
      "phi4",
    ],
    ["rerankers", ["bge-reranker-v2-m3", "qwen3-reranker-8b", "mistral-small"], "mistral-small"],
    ["speech and pictures", ["whisper-large-v3", "kokoro", "stable-diffusion-3", "gemma3:4b"], "gemma3:4b"],
    ["in a folder", ["/models/embeddinggemma-300m.gguf", "/models/Qwen3 8B.gguf"], "/models/Qwen3 8B.gguf"],
    ["a folder with such a name", ["/embeddings/llama-3.gguf", "phi4"], "/embeddings/llama-3.gguf"],
    [
      "by the server's word: its type",
      [
        { id: "a", type: "embeddings" },
        { id: "b", type: "llm" },
      ],
      "b",
    ],
    [
      "by the server's word: its capabilities",
      [
        { id: "a", capabilities: ["embedding"] },
        { id: "b", capabilities: ["completion"] },
      ],
      "b",
    ],
    ["the default model, where it is there", ["llama3.2", "gpt-4o-mini"], "gpt-4o-mini"],
  ];
  for (const [name, models, chosen] of cases) {
    it(`${name}: ${chosen}`, async () => {
      await using models_ = await createModelServer({ list: listing(...models) });
      await using server = await startTroupe({ localProviders: [models_.baseUrl] });
      assert.match(
        server.troupe.providerSummary,
        new RegExp(`answered by the local server at 127.*\\(${chosen.replaceAll(/[/.]/g, "\\$&")}\\)$`),
      );
      assert.equal(server.troupe.simulated, false);
    });
  }
});

describe("where a local server is found", () => {
  for (const slashes of ["", "/", "//"]) {
    it(`at its address, and with ${JSON.stringify(slashes)} behind it`, async () => {
      await using upstream = await createUpstreamDouble({ models: ["llama3.2"] });
      await using server = await startTroupe({ localProviders: [`${upstream.baseUrl}${slashes}`] });
      assert.equal(server.troupe.simulated, false);
      const client = await server.connect();
      client.send({ type: "openai_chat", data: { input_text: "Hi" } });
      await client.untilTerminal();
      assert.deepEqual(
        upstream.requests.map(({ path }) => path),
        ["/v1/responses"],
      );
    });
  }

  it("though its list takes 450 ms, and 2,900 ms", async () => {
    for (const delayMs of [450, 2_900]) {
      const clock = createTestClock();
      await using models = await createModelServer();
      const starting = startTroupe({ clock, localProviders: [models.baseUrl] });
      const answer = await models.held();
      await clock.advance(delayMs);
      listing("phi4")(answer);
      await using server = await starting;
      assert.equal(server.troupe.simulated, false);
    }
  });

  it("not if it never answers, and the start does not wait for ever", async () => {
    const clock = createTestClock();
    const { logger, warnings } = listener();
    await using models = await createModelServer();
    const starting = startTroupe({ clock, logger, localProviders: [models.baseUrl] });
    await models.held();
    await clock.advance(3_000);
    await using server = await starting;
    assert.equal(server.troupe.simulated, true);
    assert.deepEqual(warnings, [`TROUPE_LOCAL_PROVIDERS: ${models.baseUrl} has not answered within 3 s`]);
  });
});

describe("a server that starts after Troupe", () => {
  it("is found within a few seconds, reported once, and answers every later request", async () => {
    const clock = createTestClock();
    const upstream = await createUpstreamDouble({ models: [] });
    await upstream[Symbol.asyncDispose]();
    const told: string[] = [];
    const { logger, warnings } = listener();
    await using server = await startTroupe({
      ...{ clock, logger, localProviders: [upstream.baseUrl], pacing: "raw" },
      onAnswering: (summary) => told.push(summary),
    });
    assert.equal(server.troupe.simulated, true);
    assert.deepEqual(warnings.length, 1);
    const port = Number(new URL(upstream.baseUrl).port);
    await clock.advance(3_000);
    await using models = await createModelServer({ port });
    listing("bge-m3", "phi4")(await askedAgain(models, clock));
    await until(() => told.length > 0);
    const summary = `api "openai" is answered by the local server at 127.0.0.1:${port} (phi4)`;
    assert.deepEqual(told, [summary]);
    assert.deepEqual([server.troupe.simulated, server.troupe.providerSummary], [false, summary]);
    const page = await (await fetch(server.httpUrl)).text();
    assert.match(page, /"simulated":false,"model":"phi4"/);
    assert.match(await server.troupe.renderDiskPage("ws://x/ws"), /"simulated":false,"model":"phi4"/);
    const looks = models.asked.length;
    await clock.advance(60_000);
    assert.equal(models.asked.length, looks, "it looks no more");
    assert.equal(warnings.length, 1);
  });

  it("costs its price: calls were free only while the demonstration answered", async () => {
    const clock = createTestClock({ instantMs: 1_000 });
    const { logger, warnings } = listener();
    await using models = await createModelServer();
    const first = models.held();
    let isChanged = false;
    const starting = startTroupe({
      ...{ clock, logger, moneyPerDay: 5, localProviders: [models.baseUrl] },
      onAnswering: () => {
        isChanged = true;
      },
    });
    listing()(await first);
    await using server = await starting;
    const client = await server.connect();
    const ask = async () => {
      client.send({ type: "openai_chat", data: { input_text: "Hi" } });
      return (await client.untilTerminal()).at(-1);
    };
    assert.equal((await ask())?.type, "response");
    assert.equal(warnings.filter((warning) => warning.includes("MONEY")).length, 0);
    listing("phi4")(await askedAgain(models, clock));
    await until(() => isChanged);
    assert.match(warnings.at(-1) ?? "", /^TROUPE_MONEY_PER_DAY is set, but no price fits the model phi4:/);
    const refused = await ask();
    assert.ok(refused?.type === "error" && refused.code === "budget_exhausted");
  });

  it("is looked for no more once Troupe is closed", async () => {
    const clock = createTestClock();
    const before = clock.sleeping;
    const server = await startTroupe({ clock, localProviders: ["http://127.0.0.1:9/v1"] });
    await server[Symbol.asyncDispose]();
    await clock.advance(0);
    assert.equal(clock.sleeping, before);
  });
});

describe("a named server that cannot answer", () => {
  const html = (response: { end(text: string): void }) => response.end("<html>another program</html>");
  const cases = [
    ["has no model yet", listing(), "has no model yet"],
    [
      "has embedding models only",
      listing("nomic-embed-text", "bge-m3"),
      "has only models that cannot answer, such as embedding models",
    ],
    ["is another program", html, "answers something other than a list of models"],
    [
      "has a list of another form",
      (response: { end(text: string): void }) => response.end('{"models":[]}'),
      "answers something other than a list of models",
    ],
  ] as const;
  for (const [name, list, fault] of cases) {
    it(`is told: it ${name}`, async () => {
      const { logger, warnings } = listener();
      await using models = await createModelServer({ list });
      await using server = await startTroupe({
        clock: createTestClock(),
        logger,
        localProviders: [models.baseUrl],
      });
      assert.equal(server.troupe.simulated, true);
      assert.deepEqual(warnings, [`TROUPE_LOCAL_PROVIDERS: ${models.baseUrl} ${fault}`]);
    });
  }

  it("is told: nothing listens there, another one answers, and the address lacks /v1", async () => {
    const { logger, warnings } = listener();
    await using models = await createModelServer({ list: listing("phi4") });
    const bare = models.baseUrl.slice(0, -"/v1".length);
    await using server = await startTroupe({
      ...{ logger, clock: createTestClock() },
      localProviders: ["http://127.0.0.1:9/v1", bare, models.baseUrl],
    });
    assert.equal(server.troupe.simulated, false);
    assert.deepEqual(warnings, [
      "TROUPE_LOCAL_PROVIDERS: http://127.0.0.1:9/v1 is not there: nothing listens at this port",
      `TROUPE_LOCAL_PROVIDERS: ${bare} answers 404 when asked for its models; most servers want /v1 at the end of the address`,
    ]);
  });

  it("has another model than the one that was named: told, with the one that answers", async () => {
    const { logger, warnings } = listener();
    await using models = await createModelServer({ list: listing("phi4") });
    await using server = await startTroupe({ logger, model: "llama9", localProviders: [models.baseUrl] });
    assert.equal(server.troupe.simulated, false);
    const { host } = new URL(models.baseUrl);
    assert.deepEqual(warnings, [
      `TROUPE_MODEL: the local server at ${host} has no llama9; phi4 answers instead`,
    ]);
  });
});
