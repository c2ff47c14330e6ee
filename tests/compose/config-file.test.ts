import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { Ajv } from "ajv";
import { readConfigFile, type TroupeConfig } from "../../src/compose/config-file.ts";
import { SettingError } from "../../src/compose/settings.ts";

const secret = "s3cret-0123456789";
const variables = { WORK_KEY: secret, EMPTY: "", LARGE: "x".repeat(9_000) };

/** Reads a file with this text. */
async function read(text: string): Promise<TroupeConfig | undefined> {
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-config-"));
  try {
    const file = path.join(folder, "troupe.json");
    await writeFile(file, text);
    return await readConfigFile(file, variables);
  } catch (error) {
    if (error instanceof SettingError) error.message = error.message.replace(`${folder}/`, "");
    throw error;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The line with which a file is refused. */
async function refusalOf(content: unknown): Promise<string> {
  try {
    await read(typeof content === "string" ? content : JSON.stringify(content));
  } catch (error) {
    assert.ok(error instanceof SettingError, String(error));
    const { message } = error;
    assert.ok(message.startsWith("TROUPE_CONFIG troupe.json: "), message);
    assert.doesNotMatch(message, /\n/);
    assert.ok(!message.includes(secret), message);
    return message.slice("TROUPE_CONFIG troupe.json: ".length);
  }
  return assert.fail(`accepted: ${JSON.stringify(content)}`);
}

const work = { kind: "responses", baseUrl: "https://gateway.example/v1" };
const whole = {
  $schema: "./docs/troupe.schema.json",
  providers: {
    groq: {},
    work: {
      ...{ ...work, key: `\${WORK_KEY}`, organization: "o", project: "p", model: "m", models: ["a", "b"] },
      headers: { "X-Team": `chat \${WORK_KEY}` },
      dialect: { maxTokens: "max_tokens", asksForUsage: false },
      pricedAs: "openai",
      transport: "websocket",
    },
  },
  fallback: { "groq/a/b": ["work", { to: "openai/gpt-4o", largerContext: true }] },
  prices: {
    m: { input: 1, cachedInput: 0.1, cacheWrite: 1.25, output: 5 },
    "work/m": { input: 0, output: 0 },
  },
} as const;

describe("the config file", () => {
  it("is read with the variables that it names", async () => {
    const { providers = {} } = (await read(`\ufeff${JSON.stringify(whole)}`)) ?? {};
    assert.deepEqual(Object.keys(providers), ["groq", "work"]);
    assert.equal(providers.work?.key, secret);
    assert.deepEqual(providers.work?.headers, { "X-Team": `chat ${secret}` });
  });

  it("need not be there, unless it was named", async () => {
    assert.equal(await readConfigFile(undefined, {}), undefined);
    await assert.rejects(readConfigFile("/nowhere/troupe.json", {}), {
      message: "TROUPE_CONFIG /nowhere/troupe.json: it cannot be read (ENOENT)",
    });
  });

  const of = (fields: object) => ({ providers: { work: { ...work, ...fields } } });
  const refused: readonly (readonly [unknown, string])[] = [
    [`{"providers": {"work": {"key": "${secret}" "x"}}}`, "it is not JSON: see line 1 column 52"],
    ["", "it is not JSON"],
    ["[]", "it must be an object"],
    [{ provider: {} }, "provider is not known; did you mean providers?"],
    [{ colour: 1 }, "colour is not known; it has $schema, providers, fallback, prices"],
    [of({ base_url: "x" }), "providers.work.base_url is not known; did you mean baseUrl?"],
    [of({ apiKey: secret }), "providers.work.apiKey is not known; did you mean key?"],
    [of({ modle: "m" }), "providers.work.modle is not known; did you mean model?"],
    [
      of({ dialect: { maxToken: 1 } }),
      "providers.work.dialect.maxToken is not known; did you mean maxTokens?",
    ],
    [
      of({ kind: "soap" }),
      "providers.work.kind must be responses, chat-completions, anthropic, gemini or spoken",
    ],
    [
      of({ pricedAs: "ollama" }),
      "providers.work.pricedAs must be anthropic, azure, cerebras, cohere, deepseek, fireworks, gemini, groq, mistral, moonshot, openai, openrouter, perplexity, together or xai",
    ],
    [{ prices: { m: { input: 1 } } }, "prices.m.output is missing"],
    [{ prices: { m: { input: -1, output: 1 } } }, "prices.m.input must be a number from 0 to 1000000"],
    [
      { prices: { m: { input: 1, output: 1, cached: 1 } } },
      "prices.m.cached is not known; it has input, cachedInput, cacheWrite, output",
    ],
    [of({ baseUrl: "gateway" }), "providers.work.baseUrl must be an address such as http://host:port/v1"],
    [
      of({ baseUrl: `https://u:${secret}@h/v1` }),
      "providers.work.baseUrl must have no user name or password in it",
    ],
    [of({ transport: "ws" }), "providers.work.transport must be http or websocket"],
    [
      of({ kind: "chat-completions", transport: "http" }),
      "providers.work.transport is for the Responses API, not for chat-completions",
    ],
    [
      { providers: { anthropic: { transport: "websocket" } } },
      "providers.anthropic.transport is for the Responses API, not for anthropic",
    ],
    [of({ key: `\${OTHER}` }), "providers.work.key: the environment has no OTHER"],
    [of({ key: `\${EMPTY}` }), "providers.work.key: the environment has no EMPTY"],
    [of({ key: `\${LARGE}\${LARGE}` }), "providers.work.key is too long with its variables"],
    [of({ key: `${secret}\n` }), "providers.work.key has a line break after it; leave it out"],
    [of({ headers: { Host: "h" } }), "providers.work.headers.Host must not be set: each call sets its own"],
    [
      of({ models: [""] }),
      "providers.work.models.0 must be 1 to 256 characters, none of them a control character",
    ],
    [
      { providers: { Work: work } },
      "providers.Work has a bad name: it must have 1 to 64 of a-z 0-9 _ . -, a letter first",
    ],
    [{ providers: { groqq: {} } }, "providers.groqq.kind is missing; did you mean groq?"],
    [
      { providers: { house: { kind: "spoken" } } },
      "providers.house.baseUrl is missing; no vendor has this name",
    ],
    [{ providers: { constructor: {} } }, "providers.constructor.kind is missing; no vendor has this name"],
    [{ fallbacks: {} }, "fallbacks is not known; did you mean fallback?"],
    [{ fallback: { Groq: ["openai"] } }, "fallback.Groq has a bad name: it must be an api, or an api/model"],
    [{ fallback: { groq: [] } }, "fallback.groq must have at least 1 item"],
    [{ fallback: { groq: ["/m"] } }, "fallback.groq.0 must be an api, or an api/model"],
    [
      { fallback: { groq: [1] } },
      "fallback.groq.0 must be an api, an api/model, or an object with to and largerContext",
    ],
    [" ".repeat(1024 * 1024 + 1), "it is larger than 1 MiB"],
    ["[".repeat(100_000) + "]".repeat(100_000), "it must be an object"],
  ];
  for (const [content, line] of refused)
    it(`is refused: ${line}`, async () => {
      assert.equal(await refusalOf(content), line);
    });

  it("has a published schema that agrees with the decoder", async () => {
    const schema = JSON.parse(await readFile("docs/troupe.schema.json", "utf8"));
    const validate = new Ajv({ strict: false }).compile(schema);
    assert.ok(validate(whole), JSON.stringify(validate.errors));
    for (const content of [
      { provider: {} },
      of({ base_url: "x" }),
      of({ kind: "soap" }),
      { providers: { Work: work } },
      { prices: { m: { input: 1 } } },
      of({ pricedAs: "ollama" }),
    ])
      assert.ok(!validate(content), JSON.stringify(content));
  });
});
