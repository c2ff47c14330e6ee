import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeConfig } from "../../src/compose/config-file.ts";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { endpointsOf } from "../../src/compose/providers/endpoints.ts";
import { vendors } from "../../src/compose/providers/vendors.ts";
import { completeSettings } from "../../src/compose/read-settings.ts";
import type { Persona } from "../../src/ports/persona.ts";
import { chunk, done, finish, text } from "../adapters/chat-completions/chat-setup.ts";
import { plainResponse, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble, type UpstreamDouble } from "../doubles/upstream-double.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { textOf, type WireClient } from "../support/wire-client.ts";

const chatAnswer = streamScript([chunk({ role: "assistant" }), text("From the chat."), finish("stop"), done]);
const [houseKey, chatKey] = ["house-key-0123456789", "chat-key-0123456789"];

interface Stage extends AsyncDisposable {
  readonly house: UpstreamDouble;
  readonly chat: UpstreamDouble;
  readonly server: RunningTroupe;
  readonly client: WireClient;
  /** The last message of the answer. */
  ask(type: string, data: object): Promise<ReturnType<typeof lastOf>>;
}

const lastOf = (messages: Awaited<ReturnType<WireClient["untilTerminal"]>>) => messages.at(-1);

/** A server with two endpoints: `house` has the Responses API, `chat` Chat Completions. */
async function openStage(options: TroupeOptions = {}): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  const house = stack.use(await createUpstreamDouble({ models: ["shared-1", "house-1"] }));
  const chat = stack.use(await createUpstreamDouble({ models: ["shared-1", "chat-1"] }));
  chat.respond(chatAnswer);
  const configuration: TroupeConfig = {
    providers: {
      house: { kind: "responses", baseUrl: house.baseUrl, key: houseKey },
      chat: { kind: "chat-completions", baseUrl: chat.baseUrl, key: chatKey, models: ["unlisted-1"] },
    },
  };
  const server = stack.use(await startTroupe({ configuration, pacing: "raw", ...options }));
  const client = await server.connect();
  return {
    ...{ house, chat, server, client },
    async ask(type, data) {
      client.send({ type, data });
      return lastOf(await client.untilTerminal());
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The path and the model of the last call. */
function lastCall({ requests }: UpstreamDouble) {
  const { path, body, headers } = requests.at(-1) ?? assert.fail("there was no call");
  const { model } = body as { model: string };
  return { path, model, key: headers.authorization };
}

describe("several endpoints", () => {
  it("answer by their name, each over its own API, with its own key and its own model", async () => {
    await using stage = await openStage();
    const { house, chat } = stage;
    for (const data of [{}, { api: "house" }]) {
      await stage.ask("openai_chat", { input_text: "Hi", ...data });
      const [path, key] = ["/v1/responses", `Bearer ${houseKey}`];
      assert.deepEqual(lastCall(house), { path, key, model: "shared-1" });
    }
    assert.equal(chat.calls, 0);
    const last = await stage.ask("openai_chat", { input_text: "Hi", api: "chat" });
    assert.ok(last?.type === "response");
    const [path, key] = ["/v1/chat/completions", `Bearer ${chatKey}`];
    assert.deepEqual(lastCall(chat), { path, key, model: "unlisted-1" });
    const persona = await stage.ask("chat", {
      message: "Hi",
      persona_id: "teacher",
      api: "chat",
      model: "m",
    });
    assert.ok(persona?.type === "response" && "api" in persona.data);
    assert.deepEqual([persona.data.api, lastCall(chat).model], ["chat", "m"]);
    assert.equal(house.calls, 2);
  });

  it("are chosen by a model that only one of them has", async () => {
    await using stage = await openStage();
    const { house, chat } = stage;
    for (const [model, double] of [
      ["chat-1", chat],
      ["unlisted-1", chat],
      ["house-1", house],
      ["shared-1", house],
      ["unheard-of", house],
    ] as const) {
      const before = double.calls;
      await stage.ask("chat", { message: "Hi", persona_id: "teacher", model });
      assert.deepEqual([double.calls, lastCall(double).model], [before + 1, model]);
    }
  });

  it("are chosen by TROUPE_MODEL if the request names nothing", async () => {
    await using stage = await openStage({ model: "chat-1" });
    await stage.ask("openai_chat", { input_text: "Hi" });
    assert.equal(lastCall(stage.chat).model, "chat-1");
    assert.equal(
      stage.server.troupe.providerSummary,
      `api "house" is answered by ${new URL(stage.house.baseUrl).host}, "chat" is answered by ${new URL(stage.chat.baseUrl).host} (chat-1)`,
    );
    const page = await (await fetch(stage.server.httpUrl)).text();
    assert.match(page, /"simulated":false,"model":"chat-1"/);
  });

  it("refuse another name with the names there are, and never with a key", async () => {
    await using stage = await openStage();
    for (const [api, more] of [
      ["nowhere", ""],
      ["groq", ' "groq" needs GROQ_API_KEY.'],
      ["constructor", ""],
    ] as const) {
      stage.client.send({ type: "openai_chat", data: { input_text: "Hi", api } });
      const refused = await stage.client.next();
      assert.ok(refused.type === "error" && refused.code === "provider_not_configured");
      assert.equal(refused.field, "data.api");
      assert.ok(
        refused.message.endsWith(`This server answers "house", "chat" only.${more}`),
        refused.message,
      );
    }
  });

  it("name their own setting when a key is refused", async () => {
    await using stage = await openStage();
    stage.chat.respond(
      plainResponse(401, { error: { message: `Wrong: ${chatKey}`, code: "invalid_api_key" } }),
    );
    const last = await stage.ask("openai_chat", { input_text: "Hi", api: "chat" });
    assert.ok(last?.type === "error" && last.code === "upstream_auth");
    assert.match(last.message, /Check providers\.chat\.key in the config file: it is missing, wrong/);
    assert.doesNotMatch(JSON.stringify(stage.client.received), /chat-key/);
  });
});

describe("the endpoint and the model of a persona", () => {
  const persona = (id: string, more: Partial<Persona>): Persona => ({
    ...{ id, name: id, description: "", instructions: `You are ${id}.` },
    ...more,
  });
  const personas = [
    persona("plain", {}),
    persona("by_model", { model: "chat-1" }),
    persona("by_api", { api: "chat", model: "own-1" }),
  ];

  it("speak for it in requests that name neither, also beside others", async () => {
    await using stage = await openStage({ personas });
    const last = await stage.ask("multi_chat", {
      message: "Hi",
      persona_ids: ["plain", "by_model", "by_api"],
    });
    assert.ok(last?.type === "response");
    const models = stage.chat.requests.map(({ body }) => (body as { model: string }).model);
    assert.deepEqual(models.sort(), ["chat-1", "own-1"]);
    assert.equal(lastCall(stage.house).model, "shared-1");
    const answers = stage.client.received.filter((message) => message.type === "persona_response");
    const apis = answers.map((answer) => [answer.persona_id, Reflect.get(answer, "api")]);
    assert.deepEqual(apis.sort(), [
      ["by_api", "chat"],
      ["by_model", "chat"],
      ["plain", "house"],
    ]);
  });

  it("give way to those of the request", async () => {
    await using stage = await openStage({ personas });
    await stage.ask("chat", { message: "Hi", persona_id: "by_api", model: "house-1" });
    assert.equal(lastCall(stage.house).model, "house-1");
    await stage.ask("chat", { message: "Hi", persona_id: "by_api", api: "house" });
    assert.equal(lastCall(stage.house).model, "shared-1");
    assert.equal(stage.chat.calls, 0);
  });
});

describe("a server at OPENAI_BASE_URL that only has Chat Completions", () => {
  it("answers, found by the first call and remembered", async () => {
    await using upstream = await createUpstreamDouble();
    upstream.respond(({ path }) =>
      path === "/v1/chat/completions" ? chatAnswer : plainResponse(404, "404 page not found"),
    );
    await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
    const client = await server.connect();
    for (const _ of [1, 2]) {
      client.send({ type: "openai_chat", data: { input_text: "Hi" } });
      assert.equal(textOf(await client.untilTerminal()), "From the chat.");
    }
    const paths = upstream.requests.map(({ path }) => path.replace("/v1/", ""));
    assert.deepEqual(paths, ["responses", "chat/completions", "chat/completions"]);
  });
});

describe("keys in the settings", () => {
  const shown = (options: TroupeOptions, configuration?: TroupeConfig) =>
    endpointsOf(completeSettings(options), configuration).map(({ name, kind, baseUrl, apiKey }) => [
      ...[name, kind, baseUrl, apiKey],
    ]);

  it("switch their vendors on, and nothing does without", () => {
    assert.deepEqual(shown({}), []);
    assert.deepEqual(shown({ groqApiKey: "g", openaiApiKey: "o", deepseekApiKey: "d" }), [
      ["openai", "responses", "https://api.openai.com/v1", "o"],
      ["groq", "chat-completions", "https://api.groq.com/openai/v1", "g"],
      ["deepseek", "chat-completions", "https://api.deepseek.com", "d"],
    ]);
    assert.deepEqual(shown({ anthropicApiKey: "a", googleApiKey: "g" }), [
      ["anthropic", "anthropic", "https://api.anthropic.com/v1", "a"],
      ["gemini", "gemini", "https://generativelanguage.googleapis.com/v1beta", "g"],
    ]);
    assert.deepEqual(shown({ anthropicApiKey: "a", anthropicBaseUrl: "http://gateway:4000/" }), [
      ["anthropic", "anthropic", "http://gateway:4000", "a"],
    ]);
    assert.deepEqual(shown({ anthropicBaseUrl: "http://gateway:4000" }), []);
    assert.equal(shown({ googleApiKey: "g", geminiApiKey: "own" })[0]?.[3], "own");
    assert.deepEqual(shown({ openaiBaseUrl: "http://gateway:4000/v1" }), [
      ["openai", "spoken", "http://gateway:4000/v1", undefined],
    ]);
    assert.deepEqual(shown({ openaiBaseUrl: "https://eu.api.openai.com/v1", openaiApiKey: "o" }), [
      ["openai", "responses", "https://eu.api.openai.com/v1", "o"],
    ]);
  });

  it("come after the config file, and serve its vendors", () => {
    const providers = {
      ollama: {},
      groq: { model: "m" },
      work: { kind: "spoken", baseUrl: "http://w/v1/" },
    } as const;
    assert.deepEqual(shown({ groqApiKey: "g", openaiApiKey: "o" }, { providers }), [
      ["ollama", "spoken", "http://127.0.0.1:11434/v1", undefined],
      ["groq", "chat-completions", "https://api.groq.com/openai/v1", "g"],
      ["work", "spoken", "http://w/v1", undefined],
      ["openai", "responses", "https://api.openai.com/v1", "o"],
    ]);
  });

  it("are known for every vendor that needs one, at an address over TLS", () => {
    for (const [name, { baseUrl, keys, kind }] of Object.entries(vendors))
      if (kind !== "spoken") assert.ok(baseUrl.startsWith("https://") && keys.length > 0, name);
  });
});
