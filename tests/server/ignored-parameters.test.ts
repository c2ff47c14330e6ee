import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { httpError } from "../doubles/stream-script.ts";
import { type Api, apis, startFourApis } from "./four-apis.ts";

const ignoredIn = (messages: readonly ServerMessage[]) =>
  messages.flatMap((message) => (message.type === "status" ? [[message.status, message.ignored]] : []));
const told = (ignored: readonly string[] | undefined) => [
  ...[
    ["starting", undefined],
    ["processing", undefined],
    ["streaming", undefined],
  ],
  ["completed", ignored],
];

const stopOver: Readonly<Record<Api, (body: Record<string, unknown>) => unknown>> = {
  house: ({ stop }) => stop,
  claude: ({ stop_sequences }) => stop_sequences,
  google: ({ generationConfig }) => (generationConfig as Record<string, unknown>).stopSequences,
  llama: ({ stop }) => stop,
};

describe("stop sequences", () => {
  for (const api of apis)
    it(`${api === "house" ? "are told to be ignored" : "are sent"} over ${api}`, async () => {
      await using stage = await startFourApis();
      stage.say(api, "It rains.");
      for (const stop of ["END", ["END", "\n"]]) {
        const messages = await stage.ask(api, { options: { stop } });
        assert.deepEqual(stopOver[api](stage.sent(api)), api === "house" ? undefined : [stop].flat());
        assert.deepEqual(ignoredIn(messages), told(api === "house" ? ["stop"] : undefined));
      }
    });

  it("are refused by their field if they are none", async () => {
    await using stage = await startFourApis();
    for (const stop of ["", [], [""], Array(17).fill("a"), 1]) {
      stage.client.send({ type: "openai_chat", data: { input_text: "Well?", options: { stop } } });
      const refused = await stage.client.next(({ type }) => type === "error");
      assert.ok(refused.type === "error" && refused.field?.startsWith("data.options.stop") === true);
    }
  });
});

describe("parameters that a model does not take", () => {
  it("are told when the server has refused them, in this call and in later ones", async () => {
    await using stage = await startFourApis();
    const { llama } = stage.upstreams;
    const message = "Argument not supported on this model: stop";
    llama.respond(({ body }, index) =>
      Object.hasOwn(body as object, "stop")
        ? httpError(400, { message, type: "invalid_request_error", param: null, code: null })
        : stage.script("llama", `Answer ${index}.`),
    );
    for (const round of [1, 2]) {
      const messages = await stage.ask("llama", { options: { stop: "END" } });
      assert.deepEqual([ignoredIn(messages), round + 1], [told(["stop"]), llama.calls]);
    }
  });

  it("are told when the model is known to ignore them, also to a persona's request", async () => {
    await using stage = await startFourApis();
    stage.say("google", "It rains.");
    const model = "gemini-3-pro";
    const options = { temperature: 0.5, top_p: 0.5 };
    assert.deepEqual(
      ignoredIn(await stage.ask("google", { model, options })),
      told(["temperature", "top_p"]),
    );
    const persona = { model, temperature: 0.5, persona_id: "teacher" };
    assert.deepEqual(ignoredIn(await stage.ask("google", persona, "chat")), told(["temperature"]));
    stage.say("claude", "It rains.");
    const effort = { reasoning: { effort: "high" } };
    const early = { model: "claude-3-haiku-20240307", options: effort };
    assert.deepEqual(ignoredIn(await stage.ask("claude", early)), told(["reasoning.effort"]));
    const thinking = { options: { ...effort, temperature: 0.5 } };
    assert.deepEqual(ignoredIn(await stage.ask("claude", thinking)), told(["temperature"]));
  });

  it("are not told if they were not asked for", async () => {
    await using stage = await startFourApis();
    for (const api of apis) {
      stage.say(api, "It rains.");
      assert.deepEqual(ignoredIn(await stage.ask(api, {})), told(undefined));
    }
  });
});
