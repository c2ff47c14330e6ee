import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createDataFolder } from "../crash/data-folder.ts";
import { answer } from "../doubles/answer.ts";
import { httpError, streamScript } from "../doubles/stream-script.ts";
import { createTestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";
import { textOf } from "../support/wire-client.ts";
import {
  answerOf,
  ask,
  bodyOf,
  errorOf,
  failing,
  moved,
  openStage,
  refused,
  spareAnswer,
  tooLong,
} from "./chain-stage.ts";

describe("a chain of endpoints", () => {
  it("goes on link by link, and the answer names the one that answered", async () => {
    await using stage = await openStage({ links: { house: ["spare", "last"] } });
    stage.house.respond(httpError(401, { message: "No.", type: "x", code: "invalid_api_key" }));
    stage.spare.respond(httpError(404, { message: "No.", type: "x", code: "model_not_found" }));
    const asked = await ask(stage.client);
    assert.deepEqual(answerOf(asked), ["From the last.", "last"]);
    assert.deepEqual(asked.details, [
      moved("upstream_auth", 1, "spare"),
      moved("model_not_found", 2, "last"),
    ]);
    assert.deepEqual(
      stage.noted
        .of("callEnded")
        .map(([{ providerName, requestModel }, { outcome, errorCode, attempts }]) => [
          ...[providerName, requestModel, outcome, errorCode, attempts],
        ]),
      [
        ["house", "house-1", "failed", "upstream_auth", 1],
        ["spare", "spare-1", "failed", "model_not_found", 1],
        ["last", "last-1", "completed", undefined, 1],
      ],
    );
  });

  it("is chosen by the model, and asks a link without one for the same model if it has that", async () => {
    await using stage = await openStage({
      links: { "house/big": ["spare/small"], house: ["last", "house/house-2"] },
    });
    stage.house.respond(httpError(401, { message: "No.", type: "x", code: "invalid_api_key" }));
    await ask(stage.client, { api: "house", model: "big" });
    assert.equal(bodyOf(stage.spare).model, "small");
    await ask(stage.client, { api: "house", model: "last-1" });
    assert.equal(bodyOf(stage.last).model, "last-1");
    assert.equal(stage.spare.calls, 1);
  });

  it("ends with the first link's error if no link answers, also if a later one refuses the request", async () => {
    await using stage = await openStage({ links: { house: ["spare", "last"] } });
    stage.house.respond(failing);
    stage.spare.respond(refused("temperature"));
    stage.last.respond(httpError(401, { message: "No.", type: "x", code: "invalid_api_key" }));
    const asked = await ask(stage.client, { options: { metadata: { a: "b" } } });
    const { code, retryable } = errorOf(asked);
    assert.deepEqual([code, retryable], ["upstream_error", true]);
    assert.deepEqual(
      asked.details.map(({ api }) => api),
      [undefined, undefined, "spare", "last"],
    );
  });

  it("is not followed for a refusal of the request itself, nor for state that only the vendor has", async () => {
    await using stage = await openStage({ foreignVendorIds: true });
    stage.house.respond(refused("temperature"));
    assert.equal(errorOf(await ask(stage.client)).code, "upstream_invalid_request");
    stage.house.respond(tooLong);
    assert.equal(errorOf(await ask(stage.client)).code, "context_length_exceeded");
    stage.house.respond(failing);
    const options = { conversation: "conv_1" };
    assert.equal(errorOf(await ask(stage.client, { options })).code, "upstream_error");
    assert.equal(stage.spare.calls, 0);
  });

  it("goes past links that are no larger if the text was too long", async () => {
    await using stage = await openStage({
      links: { house: ["spare", { to: "last", largerContext: true }] },
    });
    stage.house.respond(tooLong);
    assert.deepEqual(answerOf(await ask(stage.client)), ["From the last.", "last"]);
    assert.equal(stage.spare.calls, 0);
  });

  it("goes on with the next link if a provider asks for a longer pause than a client should wait", async () => {
    await using stage = await openStage();
    const error = { message: "No.", type: "x", code: "rate_limit_exceeded" };
    stage.house.respond(httpError(429, error, { "retry-after": "3600" }));
    assert.deepEqual((await ask(stage.client)).details, [moved("rate_limited", 1, "spare")]);
    assert.equal(stage.house.calls, 1);
    // The pause counts for later requests as well.
    assert.deepEqual(answerOf(await ask(stage.client)), ["From the spare.", "spare"]);
    assert.equal(stage.house.calls, 1);
  });

  it("ends with a cancel", async () => {
    await using stage = await openStage({ clock: createTestClock() });
    stage.house.respond(failing);
    stage.client.send({ type: "openai_chat", id: "q", data: { input_text: "Well?" } });
    await stage.client.next((one) => one.type === "status" && one.detail?.retry === 1);
    stage.client.send({ type: "cancel", data: { request_id: "q" } });
    const end = (await stage.client.untilTerminal("q")).at(-1);
    assert.ok(end?.type === "response" && end.status === "cancelled");
    assert.deepEqual([stage.house.calls, stage.spare.calls], [1, 0]);
  });

  it("ends with the deadline of the turn", async () => {
    const clock = createTestClock();
    await using stage = await openStage({ clock, turnLimitMs: 300 });
    stage.house.respond(failing);
    stage.client.send({ type: "openai_chat", id: "q", data: { input_text: "Well?" } });
    await stage.client.next((one) => one.type === "status" && one.detail?.retry === 1);
    await clock.advance(300);
    const end = (await stage.client.untilTerminal("q")).at(-1);
    assert.ok(end?.type === "error" && end.code === "turn_timeout");
    await clock.advance(60_000);
    assert.equal(stage.spare.calls, 0);
  });

  it("is followed by each persona of a multi_chat for itself", async () => {
    await using stage = await openStage();
    stage.house.respond(({ body }) => {
      const { instructions } = body as { instructions: string };
      return instructions.includes("Joyce") ? failing : streamScript(answer({ text: "From the house." }));
    });
    const { end, messages } = await ask(stage.client, { persona_ids: ["teacher", "skeptic"] }, "multi_chat");
    assert.ok(end.type === "response" && end.request_type === "multi_chat");
    assert.deepEqual(
      end.data.responses.map(({ persona_id, api, response }) => [persona_id, api, response]),
      [
        ["teacher", "spare", "From the spare."],
        ["skeptic", "house", "From the house."],
      ],
    );
    assert.equal(textOf(messages, "teacher"), "From the spare.");
    assert.equal(messages.filter((one) => one.type === "chunk" && one.is_final).length, 2);
  });

  it("continues a response of the first link at the next one, and back", async () => {
    await using stage = await openStage();
    stage.house.respond(streamScript(answer({ responseId: "resp_1", text: "One." })));
    const first = await ask(stage.client);
    stage.house.respond(failing);
    const idOf = ({ end }: typeof first) =>
      end.type === "response" && end.request_type === "openai_chat" ? end.data.id : undefined;
    const second = await ask(stage.client, { previous_response_id: idOf(first) });
    assert.deepEqual(answerOf(second), ["From the spare.", "spare"]);
    assert.deepEqual(bodyOf(stage.spare).messages, [
      ...[
        { role: "user", content: "Well?" },
        { role: "assistant", content: "One." },
      ],
      { role: "user", content: "Well?" },
    ]);
    stage.house.respond(({ body }) =>
      Object.hasOwn(body as object, "previous_response_id")
        ? httpError(400, { message: "No.", type: "x", code: "previous_response_not_found" })
        : streamScript(answer({ text: "Three." })),
    );
    const third = await ask(stage.client, { previous_response_id: idOf(second) });
    assert.deepEqual(answerOf(third), ["Three.", undefined]);
    assert.equal((bodyOf(stage.house).input as unknown[]).length, 5);
  });

  it("skips other endpoints for a response whose context is not kept", async () => {
    await using stage = await openStage({ foreignVendorIds: true });
    stage.house.respond(failing);
    const { code } = errorOf(await ask(stage.client, { previous_response_id: "resp_of_another_server" }));
    assert.equal(code, "upstream_error");
    assert.equal(stage.spare.calls, 0);
  });

  it("has a row of usage for the link that answered, and none for one that read nothing", async () => {
    await using stage = await openStage();
    stage.house.respond(httpError(401, { message: "No.", type: "x", code: "invalid_api_key" }));
    await ask(stage.client);
    const { usage } = (await (await fetch(`${stage.server.httpUrl}/api/usage`)).json()) as {
      usage: { api: string; model: string; input_tokens: number }[];
    };
    const used = usage.filter(({ input_tokens }) => input_tokens > 0);
    assert.deepEqual(
      used.map(({ api, model, input_tokens }) => [api, model, input_tokens]),
      [["spare", "spare-1", 12]],
    );
  });
});

it("a turn whose first link had failed is answered after a crash, with one end", async () => {
  await using place = await createDataFolder();
  await using stage = await openStage({ store: "sqlite", data: place.folder });
  const { house, spare, server } = stage;
  house.respond(httpError(401, { message: "No.", type: "x", code: "invalid_api_key" }));
  spare.respond([{ hang: true }]);
  const ofTurn = { id: "long", data: { input_text: "Well?", on_interrupt: "restart" } };
  stage.client.send({ type: "openai_chat", ...ofTurn });
  await until(() => spare.calls === 1);
  await server[Symbol.asyncDispose]();
  spare.respond(spareAnswer);
  const next = await stage.start();
  const client = await next.connect();
  client.send({ type: "resume", data: { request_id: "long", after_seq: 0 } });
  const messages = await client.untilTerminal("long");
  const end = messages.at(-1);
  assert.ok(end?.type === "response" && end.request_type === "openai_chat", JSON.stringify(end));
  assert.equal(end.data.output_text, "From the spare.");
  assert.equal(messages.filter((one) => one.type === "reset").length, 1);
});
