import assert from "node:assert/strict";
import { describe, it } from "node:test";
import OpenAI from "openai";
import type { ResponseStreamEvent } from "openai/resources/responses/responses";
import { type AnswerOptions, answer } from "./answer.ts";
import { httpError, streamScript } from "./stream-script.ts";
import { createUpstreamDouble } from "./upstream-double.ts";

/** Reads an answer with the vendor's own SDK: each event, and the response that its accumulator builds from them. */
async function readWithSdk(
  options: AnswerOptions,
): Promise<{ events: ResponseStreamEvent[]; response: OpenAI.Responses.Response }> {
  await using double = await createUpstreamDouble({ keepAlive: false });
  double.respond(streamScript(answer(options)));
  const client = new OpenAI({ apiKey: "key-of-a-test", baseURL: double.baseUrl, maxRetries: 0 });
  const stream = client.responses.stream({ model: "gpt-4o-mini", input: "Hi" });
  const events: ResponseStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return { events, response: await stream.finalResponse() };
}

function typesOf(events: readonly { type: string }[]): string[] {
  return events.map(({ type }) => type.replace("response.", ""));
}

describe("answers as the vendor's SDK reads them", () => {
  it("streams text, item by item and part by part", async () => {
    const { events, response } = await readWithSdk({
      deltas: ["Grüß ", "Gott 👋"],
      model: "gpt-5",
      responseId: "resp_42",
      previousResponseId: "resp_41",
      usage: { inputTokens: 7, outputTokens: 3 },
    });
    assert.deepEqual(typesOf(events), [
      "created",
      "in_progress",
      "output_item.added",
      "content_part.added",
      "output_text.delta",
      "output_text.delta",
      "output_text.done",
      "content_part.done",
      "output_item.done",
      "completed",
    ]);
    assert.deepEqual(
      events.map(({ sequence_number }) => sequence_number),
      [...events.keys()],
    );
    assert.equal(response.output_text, "Grüß Gott 👋");
    assert.equal(response.id, "resp_42");
    assert.equal(response.model, "gpt-5");
    assert.equal(response.previous_response_id, "resp_41");
    assert.equal(response.usage?.total_tokens, 10);
  });

  it("puts reasoning and a web search before the text, each at its own output index", async () => {
    const { events, response } = await readWithSdk({
      text: "It is raining.",
      reasoning: ["I should ", "look."],
      tool: { type: "web_search", query: "weather" },
    });
    assert.deepEqual(typesOf(events).slice(2, 14), [
      "output_item.added",
      "reasoning_summary_part.added",
      "reasoning_summary_text.delta",
      "reasoning_summary_text.delta",
      "reasoning_summary_text.done",
      "reasoning_summary_part.done",
      "output_item.done",
      "output_item.added",
      "web_search_call.in_progress",
      "web_search_call.searching",
      "web_search_call.completed",
      "output_item.done",
    ]);
    assert.deepEqual(typesOf(response.output), ["reasoning", "web_search_call", "message"]);
    const indexes = events.flatMap((event) => ("output_index" in event ? [event.output_index] : []));
    assert.deepEqual([...new Set(indexes)], [0, 1, 2]);
    assert.equal(response.output_text, "It is raining.");
  });

  it("streams the arguments of a function call, without a message", async () => {
    const argumentDeltas = ['{"city":', '"Zürich"}'];
    const { events, response } = await readWithSdk({
      tool: { type: "function", name: "weather", argumentDeltas },
    });
    assert.deepEqual(typesOf(events).slice(2, -1), [
      "output_item.added",
      "function_call_arguments.delta",
      "function_call_arguments.delta",
      "function_call_arguments.done",
      "output_item.done",
    ]);
    const [item] = response.output;
    assert.ok(item?.type === "function_call");
    assert.equal(item.arguments, '{"city":"Zürich"}');
    assert.equal(response.output.length, 1);
  });

  it("refuses", async () => {
    const { events, response } = await readWithSdk({ refusal: ["I will ", "not."] });
    assert.deepEqual(typesOf(events).slice(4, 7), ["refusal.delta", "refusal.delta", "refusal.done"]);
    const [item] = response.output;
    assert.ok(item?.type === "message");
    const [part] = item.content;
    assert.ok(part?.type === "refusal");
    assert.equal(part.refusal, "I will not.");
  });

  it("fails and stays incomplete, as its response object says", async () => {
    const failed = answer({ ending: { status: "failed", code: "server_error", message: "Oops." } }).at(-1);
    assert.match(
      failed ?? "",
      /^event: response\.failed\n.*"error":\{"code":"server_error","message":"Oops\."\}/,
    );
    const { events, response } = await readWithSdk({
      ending: { status: "incomplete", reason: "max_output_tokens" },
    });
    assert.equal(events.at(-1)?.type, "response.incomplete");
    assert.deepEqual(response.incomplete_details, { reason: "max_output_tokens" });
  });

  it("cuts a text after its spaces and loses none of it", () => {
    const text = " two  words\nand a line ";
    const deltas = answer({ text })
      .filter((event) => event.startsWith("event: response.output_text.delta"))
      .map((event) => JSON.parse(event.split("data: ")[1] ?? "").delta);
    assert.deepEqual(deltas, [" ", "two  ", "words\n", "and ", "a ", "line "]);
  });

  it("gives HTTP errors that the SDK turns into its own classes", async () => {
    await using double = await createUpstreamDouble();
    const error = { message: "No such model.", type: "invalid_request_error", code: "model_not_found" };
    double.respond(httpError(404, { ...error, param: "model" }, { "x-more": "1" }));
    const client = new OpenAI({ apiKey: "key-of-a-test", baseURL: double.baseUrl, maxRetries: 0 });
    await assert.rejects(client.responses.create({ model: "m", input: "Hi" }), (thrown) => {
      assert.ok(thrown instanceof OpenAI.NotFoundError);
      assert.equal(thrown.code, "model_not_found");
      assert.equal(thrown.param, "model");
      assert.equal(thrown.headers.get("x-more"), "1");
      return true;
    });
  });
});
