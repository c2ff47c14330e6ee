import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answerOf, ask, bodyOf, errorOf, failing, moved, openStage } from "./chain-stage.ts";

describe("the fallback of a request", () => {
  it("answers in its place, over another API, and is told", async () => {
    await using stage = await openStage({ links: {} });
    stage.house.respond(failing);
    const fallback = [{ api: "spare", model: "spare-2" }, { model: "last-1" }];
    const asked = await ask(stage.client, { fallback });
    assert.deepEqual(answerOf(asked), ["From the spare.", "spare"]);
    assert.deepEqual(asked.details.at(-1), { ...moved("upstream_error", 1, "spare"), model: "spare-2" });
    assert.equal(bodyOf(stage.spare).model, "spare-2");
    stage.spare.respond(failing);
    // A model alone finds the endpoint that was given it, although no list of models was read.
    assert.deepEqual(answerOf(await ask(stage.client, { fallback })), ["From the last.", "last"]);
  });

  it("counts in the place of the server's chain, also if it is empty", async () => {
    await using stage = await openStage({ links: { house: ["spare"] } });
    stage.house.respond(failing);
    const fallback = [{ api: "last" }];
    assert.deepEqual(answerOf(await ask(stage.client, { fallback })), ["From the last.", "last"]);
    assert.equal(errorOf(await ask(stage.client, { fallback: [] })).code, "upstream_error");
    assert.equal(stage.spare.calls, 0);
    assert.deepEqual(answerOf(await ask(stage.client, { fallback: null })), ["From the spare.", "spare"]);
  });

  it("leaves out the link that was asked first, and without names is the server's own choice", async () => {
    await using stage = await openStage({ links: {} });
    stage.house.respond(failing);
    const twice = [undefined, undefined];
    const { details } = await ask(stage.client, { fallback: [{ api: "house" }, {}] });
    assert.deepEqual(
      details.map(({ retry, api }) => [retry, api]),
      [
        [1, undefined],
        [2, undefined],
      ],
    );
    stage.spare.respond(failing);
    const asked = await ask(stage.client, { api: "spare", fallback: [{}, { api: "last" }] });
    assert.deepEqual(
      asked.details.map(({ api }) => api),
      [...twice, "house", ...twice, "last"],
    );
  });

  it("is followed by each persona for itself, also by a member with a provider of its own", async () => {
    await using stage = await openStage({ links: {} });
    stage.house.respond(failing);
    stage.spare.respond(failing);
    const data = {
      persona_ids: ["teacher", "skeptic"],
      members: [{ persona_id: "skeptic", api: "spare" }],
      fallback: [{ api: "last" }],
    };
    const { end } = await ask(stage.client, data, "multi_chat");
    assert.ok(end.type === "response" && end.request_type === "multi_chat");
    assert.deepEqual(
      end.data.responses.map(({ api, response }) => [api, response]),
      [
        ["last", "From the last."],
        ["last", "From the last."],
      ],
    );
    assert.deepEqual([stage.house.calls, stage.spare.calls, stage.last.calls], [3, 3, 2]);
    const one = await ask(stage.client, { persona_id: "teacher", fallback: [{ api: "last" }] }, "chat");
    assert.ok(one.end.type === "response" && one.end.request_type === "chat");
    assert.equal(one.end.data.api, "last");
  });

  it("is refused by field if an endpoint is not configured, before anything is called", async () => {
    await using stage = await openStage();
    const refusalOf = async (type: string, data: object) => {
      stage.client.send({ type, data });
      const refused = await stage.client.next();
      assert.ok(refused.type === "error" && refused.seq === undefined, JSON.stringify(refused));
      return [refused.code, refused.field];
    };
    const fallback = [{ api: "spare" }, { api: "nowhere" }];
    const several = { message: "Well?", persona_ids: ["teacher"], fallback };
    for (const [type, data] of [
      ["openai_chat", { input_text: "Well?", fallback }],
      ["chat", { message: "Well?", persona_id: "teacher", fallback }],
      ["multi_chat", several],
      ["multi_chat", { ...several, members: [{ persona_id: "teacher", api: "last" }] }],
    ] as const)
      assert.deepEqual(await refusalOf(type, data), ["provider_not_configured", "data.fallback.1.api"]);
    const long = { input_text: "Well?", fallback: Array(9).fill({}) };
    assert.deepEqual(await refusalOf("openai_chat", long), ["invalid_message", "data.fallback"]);
    assert.equal(stage.house.calls + stage.spare.calls + stage.last.calls, 0);
  });
});
