import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConfiguredProvider, TroupeConfig } from "../../src/compose/config-file.ts";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { Persona } from "../../src/ports/persona.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { responsesVendor } from "../faults/vendors/fault-vendor.ts";
import { otherVendors } from "../faults/vendors/other-vendors.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { until } from "../support/until.ts";

const vendors = [responsesVendor, ...otherVendors];
const voice = (id: string, more: Partial<Persona> = {}): Persona => ({
  ...{ id, name: id, description: "", instructions: `You are ${id}.` },
  ...more,
});
const personas = [
  ...["ada", "bob", "cleo"].map((id) => voice(id)),
  voice("dan", { api: "gemini", model: "g-2" }),
];

/** A server with an endpoint for each API. Every endpoint says its name, and has the model `<name>-1`. */
async function openStage({
  prices = {},
  ...options
}: Omit<TroupeOptions, "prices"> & Pick<TroupeConfig, "prices"> = {}) {
  const stack = new AsyncDisposableStack();
  const providers: Record<string, ConfiguredProvider> = {};
  /** The endpoint and the model of each call. */
  const calls: string[] = [];
  const silent = new Set<string>();
  for (const { name, says } of vendors) {
    const double = stack.use(await createUpstreamDouble({ models: [`${name}-1`] }));
    double.respond(({ path, body }) => {
      calls.push(`${name} ${modelIn(path, body)}`);
      return silent.has(name) ? [{ hang: true }] : says(`From ${name}.`);
    });
    const { baseUrl } = double;
    providers[name] = {
      kind: name as NonNullable<ConfiguredProvider["kind"]>,
      baseUrl,
      key: "key-of-a-test",
      model: `${name}-1`,
    };
  }
  const configuration = { providers, prices };
  const start = async () =>
    stack.use(await startTroupe({ configuration, pacing: "raw", personas, ...options }));
  const server = await start();
  const client = await server.connect();
  const ask = async (data: object, type = "multi_chat") => {
    client.send({ type, data: { message: "Well?", ...data } });
    return (await client.untilTerminal()).at(-1);
  };
  return { silent, calls, start, server, client, ask, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Gemini's calls have the model in their path. */
function modelIn(path: string, body: unknown): string | undefined {
  return (body as { model?: string }).model ?? /models\/([^:]*):/.exec(path)?.[1];
}

type Stage = Awaited<ReturnType<typeof openStage>>;

/** The persona, the endpoint and the text of each answer. */
function answersIn(end: Awaited<ReturnType<Stage["ask"]>>) {
  assert.ok(end?.type === "response" && end.request_type === "multi_chat", JSON.stringify(end));
  return end.data.responses.map(({ persona_id, api, response }) => [persona_id, api, response]);
}

describe("the members of a multi_chat", () => {
  it("answer over different APIs at the same time, each told with its own", async () => {
    await using stage = await openStage();
    const end = await stage.ask({
      persona_ids: ["ada", "bob", "cleo", "dan"],
      members: [
        { persona_id: "bob", api: "chat-completions", model: "c-2" },
        { persona_id: "cleo", api: "anthropic" },
        { persona_id: "dan", model: null },
      ],
    });
    assert.deepEqual(answersIn(end), [
      ["ada", "responses", "From responses."],
      ["bob", "chat-completions", "From chat-completions."],
      ["cleo", "anthropic", "From anthropic."],
      ["dan", "gemini", "From gemini."],
    ]);
    assert.deepEqual(stage.calls.sort(), [
      ...["anthropic anthropic-1", "chat-completions c-2"],
      ...["gemini g-2", "responses responses-1"],
    ]);
  });

  it("come before the request and the persona, and a model alone stays at the request's endpoint", async () => {
    await using stage = await openStage();
    const chosen = async (member: object, request: object = {}, id = "ada") => {
      await stage.ask({ persona_ids: [id], members: [{ persona_id: id, ...member }], ...request });
      return stage.calls.at(-1);
    };
    const request = { api: "anthropic", model: "a-2" };
    assert.equal(await chosen({ api: "gemini" }, request), "gemini gemini-1");
    assert.equal(await chosen({ model: "a-3" }, request), "anthropic a-3");
    assert.equal(await chosen({ api: "responses", model: "r-2" }, request), "responses r-2");
    assert.equal(await chosen({}, request), "anthropic a-2");
    assert.equal(await chosen({ model: "chat-completions-1" }), "chat-completions chat-completions-1");
    assert.equal(await chosen({ api: "anthropic" }, {}, "dan"), "anthropic anthropic-1");
    assert.equal(await chosen({ model: "gemini-1" }, { api: "gemini" }, "dan"), "gemini gemini-1");
    assert.equal(await chosen({}, {}, "dan"), "gemini g-2");
  });

  it("are refused by field, before anything is called", async () => {
    await using stage = await openStage();
    const ada = { persona_id: "ada" };
    for (const [members, code, field] of [
      [[{ persona_id: "bob", api: "gemini" }], "persona_not_found", "0.persona_id"],
      [[{ persona_id: "nobody" }], "persona_not_found", "0.persona_id"],
      [[ada, ada], "persona_repeated", "1.persona_id"],
      [[{ ...ada, api: "nowhere" }], "provider_not_configured", "0.api"],
      [[{ ...ada, api: "" }], "invalid_message", "0.api"],
      [[{ ...ada, model: "m".repeat(257) }], "invalid_message", "0.model"],
      [[{ api: "gemini" }], "invalid_message", "0.persona_id"],
      [{ ada: { api: "gemini" } }, "invalid_message", undefined],
      [Array(17).fill(ada), "invalid_message", undefined],
    ] as const) {
      stage.client.send({ type: "multi_chat", data: { message: "Well?", persona_ids: ["ada"], members } });
      const refused = await stage.client.next();
      assert.ok(refused.type === "error" && refused.seq === undefined, JSON.stringify(refused));
      const path = field === undefined ? "data.members" : `data.members.${field}`;
      assert.deepEqual([refused.code, refused.field], [code, path]);
    }
    assert.deepEqual(stage.calls, []);
  });

  it("cost by their own model", async () => {
    const prices = {
      "gemini/gemini-3-pro": { input: 1, output: 1 },
      "anthropic/claude-sonnet-5": { input: 1_000, output: 1_000 },
    };
    await using stage = await openStage({ prices });
    const members = [
      { persona_id: "ada", api: "gemini" },
      { persona_id: "bob", api: "anthropic" },
    ];
    const end = await stage.ask({ persona_ids: ["ada", "bob"], members });
    assert.ok(end?.type === "response" && end.request_type === "multi_chat");
    const [cheap, dear] = end.data.responses.map(
      ({ usage, cost }) => (cost?.usd ?? 0) / (usage?.total_tokens ?? 1),
    );
    assert.deepEqual([cheap, dear], [1 / 1e6, 1_000 / 1e6]);
  });

  it("answer again after a crash, each at its own endpoint", async () => {
    await using place = await createDataFolder();
    await using stage = await openStage({ store: "sqlite", data: place.folder });
    stage.silent.add("anthropic");
    const members = [{ persona_id: "bob", api: "anthropic", model: "a-2" }];
    const data = { message: "Well?", persona_ids: ["ada", "bob"], members, on_interrupt: "restart" };
    stage.client.send({ type: "multi_chat", id: "long", data });
    await stage.client.next((one) => one.type === "persona_response");
    await until(() => stage.calls.length === 2);
    await stage.server[Symbol.asyncDispose]();
    stage.silent.clear();
    const client = await (await stage.start()).connect();
    client.send({ type: "resume", data: { request_id: "long", after_seq: 0 } });
    const end = (await client.untilTerminal("long")).at(-1);
    assert.deepEqual(answersIn(end), [
      ["ada", "responses", "From responses."],
      ["bob", "anthropic", "From anthropic."],
    ]);
    assert.deepEqual(stage.calls.sort(), ["anthropic a-2", "anthropic a-2", "responses responses-1"]);
  });
});
