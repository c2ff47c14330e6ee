import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createDataFolder } from "../crash/data-folder.ts";
import { answer, answerParts } from "../doubles/answer.ts";
import { eventTexts } from "../doubles/event-text.ts";
import { streamHead, streamScript } from "../doubles/stream-script.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { textOf } from "../support/wire-client.ts";
import { type Api, apis, startFourApis } from "./four-apis.ts";

const schema = {
  type: "object",
  properties: { age: { type: "integer" } },
  required: ["age"],
  additionalProperties: false,
};
const named = { name: "person", schema, strict: true };
const asked = { text: { format: { type: "json_schema", ...named } } };
const words = { response_format: { type: "json_schema", json_schema: named } };
const fault = {
  ...{ code: "invalid_output", retryable: true },
  message: "The answer was not found to fit its schema. /age must be integer.",
};

/** The part of an API's call that asks for the schema. */
const formOver: Readonly<Record<Api, (body: Record<string, unknown>) => unknown>> = {
  house: ({ text }) => text,
  claude: ({ output_config }) => output_config,
  google: ({ generationConfig }) => generationConfig,
  llama: ({ response_format }) => response_format,
};
const formOf: Readonly<Record<Api, unknown>> = {
  house: asked.text,
  claude: { format: { type: "json_schema", schema } },
  google: { responseMimeType: "application/json", responseJsonSchema: schema },
  llama: words.response_format,
};

describe("an answer with a schema", () => {
  for (const api of apis) {
    it(`is asked for in the words of either API, and checked, over ${api}`, async () => {
      await using stage = await startFourApis();
      for (const options of [asked, words]) {
        stage.say(api, '{"age":36}');
        const fits = await stage.end(api, { options });
        assert.deepEqual(formOver[api](stage.sent(api)), formOf[api]);
        assert.deepEqual([fits.data.output_text, Object.hasOwn(fits, "error")], ['{"age":36}', false]);
      }
    });

    it(`that does not fit says so and keeps its text, over ${api}`, async () => {
      await using stage = await startFourApis();
      stage.say(api, '{"age":"36"}');
      const messages = await stage.ask(api, { options: asked });
      const last = messages.at(-1);
      assert.ok(last?.type === "response" && last.request_type === "openai_chat");
      assert.deepEqual(
        [last.error, last.status, last.finish_reason, last.data.output_text, textOf(messages)],
        [fault, "completed", "stop", '{"age":"36"}', '{"age":"36"}'],
      );
    });
  }

  it("is any JSON object, if only JSON was asked for", async () => {
    await using stage = await startFourApis();
    for (const options of [
      { text: { format: { type: "json_object" } } },
      { response_format: { type: "json_object" } },
    ]) {
      stage.say("house", '{"any":1}');
      assert.equal((await stage.end("house", { options })).error, undefined);
      stage.say("house", "Here it is.");
      const { error } = await stage.end("house", { options });
      assert.equal(error?.message, "The answer was not found to fit its schema. It is not JSON.");
    }
  });

  it("that was cut, stopped or that calls a function is no invalid output", async () => {
    await using stage = await startFourApis();
    const { upstreams, client } = stage;
    upstreams.house.respond(
      streamScript(answer({ text: '{"age"', ending: { status: "incomplete", reason: "max_output_tokens" } })),
    );
    const cut = await stage.end("house", { options: asked });
    assert.deepEqual([cut.finish_reason, cut.error], ["length", undefined]);
    const tool = { type: "function", name: "age", argumentDeltas: ["{}"] } as const;
    upstreams.house.respond(streamScript(answer({ tool })));
    const called = await stage.end("house", { options: asked });
    assert.deepEqual([called.finish_reason, called.error], ["tool_calls", undefined]);
    const { prologue, deltas } = answerParts({ text: '{"age"' });
    const begun = eventTexts([...prologue, ...deltas]).join("");
    upstreams.house.respond([streamHead(), { write: begun }, { hang: true }]);
    const stopped = stage.ask("house", { options: asked }, "openai_chat", "r");
    await client.next(({ type }) => type === "chunk");
    client.send({ type: "cancel", data: { request_id: "r" } });
    const last = (await stopped).at(-1);
    assert.ok(last?.type === "response");
    assert.deepEqual([last.status, last.error], ["cancelled", undefined]);
  });

  it("that cannot be checked says so, and is not asked for again", async () => {
    await using stage = await startFourApis();
    stage.say("llama", '{"age":36}');
    const remote = { $ref: "https://schemas.example/person.json" };
    const { error, data } = await stage.end("llama", {
      options: { text: { format: { type: "json_schema", name: "person", schema: remote } } },
    });
    assert.deepEqual(
      [error?.code, error?.retryable, error?.message, data.output_text],
      [
        ...["invalid_output", false],
        "The answer was not found to fit its schema. The server cannot read the schema.",
        '{"age":36}',
      ],
    );
  });

  it("is asked for in one way only", async () => {
    await using stage = await startFourApis();
    stage.client.send({
      type: "openai_chat",
      data: { input_text: "Well?", options: { ...asked, ...words } },
    });
    const refused = await stage.client.next(({ type }) => type === "error");
    assert.ok(refused.type === "error");
    assert.deepEqual([refused.code, refused.field], ["invalid_message", "data.options.response_format"]);
  });

  it("has the same end after a restart of the server", async () => {
    await using place = await createDataFolder();
    const options = { store: "sqlite", data: place.folder } as const;
    let first: unknown;
    {
      await using stage = await startFourApis(options);
      stage.say("house", '{"age":"36"}');
      const messages = await stage.ask("house", { options: asked }, "openai_chat", "r");
      first = messages.at(-1);
    }
    {
      await using server = await startTroupe(options);
      const client = await server.connect();
      client.send({ type: "resume", data: { request_id: "r", after_seq: 0 } });
      assert.deepEqual((await client.untilTerminal("r")).at(-1), first);
    }
  });
});
