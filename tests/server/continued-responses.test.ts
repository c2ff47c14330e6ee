import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createDataFolder } from "../crash/data-folder.ts";
import { answer, answerParts } from "../doubles/answer.ts";
import { eventTexts } from "../doubles/event-text.ts";
import type { Script } from "../doubles/script.ts";
import { httpError, streamHead, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import type { WireClient } from "../support/wire-client.ts";

const isContinued = (body: unknown) =>
  typeof body === "object" && body !== null && Object.hasOwn(body, "previous_response_id");

/** OpenAI has no response under the id: in its own form, and in that of a gateway. */
const losses: Readonly<Record<string, Script>> = {
  "the vendor's own refusal": httpError(400, {
    ...{ message: "Previous response with id 'resp_x' not found.", type: "invalid_request_error" },
    ...{ param: "previous_response_id", code: "previous_response_not_found" },
  }),
  "the refusal with status 404": httpError(404, {
    ...{ message: "Previous response not found.", type: "invalid_request_error" },
    ...{ param: "previous_response_id", code: "previous_response_not_found" },
  }),
};

/** A provider that keeps no response; the answers come one after another. */
async function openStage({
  loss = losses["the vendor's own refusal"],
  ...options
}: Record<string, unknown> = {}) {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble());
  let answers = 0;
  upstream.respond(({ body }) => {
    if (isContinued(body)) return loss as Script;
    answers += 1;
    return streamScript(answer({ responseId: `resp_${answers}`, text: `Answer ${answers}.` }));
  });
  const start = async () =>
    stack.use(
      await startTroupe({
        ...{ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, pacing: "raw" },
        ...options,
      }),
    );
  const input = () => (upstream.requests.at(-1)?.body as Record<string, unknown> | undefined)?.input;
  return { upstream, start, input, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function ask(client: WireClient, input_text: string, data: object = {}) {
  client.send({ type: "openai_chat", data: { input_text, ...data } });
  const messages = await client.untilTerminal();
  const last = messages.at(-1);
  const id = last?.type === "response" && last.request_type === "openai_chat" ? String(last.data.id) : "";
  const repeats = messages.flatMap((one) => (one.type === "status" && one.detail ? [one.detail] : []));
  return { id, last, repeats };
}

const user = (content: string) => ({ type: "message", role: "user", content });
const assistant = (content: string) => ({ type: "message", role: "assistant", content });
const told = { retry: 1, delay_ms: 0, code: "previous_response_not_found" };

describe("a response that the provider has lost", () => {
  for (const [name, loss] of Object.entries(losses))
    it(`is continued from the server's own store, and that is told: ${name}`, async () => {
      await using stage = await openStage({ loss });
      const client = await (await stage.start()).connect();
      const first = await ask(client, "One?");
      assert.deepEqual(first.repeats, []);
      const second = await ask(client, "Two?", { previous_response_id: first.id });
      assert.deepEqual(second.repeats, [told]);
      const third = await ask(client, "Three?", { previous_response_id: second.id });
      assert.deepEqual(third.repeats, [told]);
      const bodies = stage.upstream.requests.map(({ body }) => body as Record<string, unknown>);
      assert.deepEqual(
        bodies.map(({ previous_response_id, input }) => [previous_response_id, input]),
        [
          [undefined, "One?"],
          ["resp_1", "Two?"],
          [undefined, [user("One?"), assistant("Answer 1."), user("Two?")]],
          ["resp_2", "Three?"],
          [
            undefined,
            [...[user("One?"), assistant("Answer 1."), user("Two?"), assistant("Answer 2.")], user("Three?")],
          ],
        ],
      );
    });

  it("is continued after a restart, and from a branch", async () => {
    await using place = await createDataFolder();
    await using stage = await openStage({ store: "sqlite", data: place.folder });
    const server = await stage.start();
    const first = await ask(await server.connect(), "One?");
    await ask(await server.connect(), "Two?", { previous_response_id: first.id });
    await server[Symbol.asyncDispose]();
    const next = await stage.start();
    await ask(await next.connect(), "Other?", { previous_response_id: first.id });
    assert.deepEqual(stage.input(), [user("One?"), assistant("Answer 1."), user("Other?")]);
  });

  it("is not continued if nothing was kept: `store: false`, or another caller", async () => {
    const apiKeys = [
      { owner: "ada", key: "a".repeat(20) },
      { owner: "bob", key: "b".repeat(20) },
    ];
    await using stage = await openStage({ apiKeys });
    const server = await stage.start();
    const ada = await server.connect({ headers: { authorization: `Bearer ${"a".repeat(20)}` } });
    const bob = await server.connect({ headers: { authorization: `Bearer ${"b".repeat(20)}` } });
    const transient = await ask(ada, "One?", { options: { store: false } });
    const kept = await ask(ada, "One?");
    for (const [client, id] of [[ada, transient.id] as const, [bob, kept.id] as const]) {
      client.send({ type: "openai_chat", data: { input_text: "Two?", previous_response_id: id } });
      const refusal = await client.next(({ type }) => type === "error");
      assert.ok(refusal.type === "error");
      assert.deepEqual(
        [refusal.code, refusal.field],
        ["previous_response_not_found", "data.previous_response_id"],
      );
    }
    assert.equal(stage.upstream.requests.length, 2);
  });

  it("is asked for once: a provider that refuses the whole context as well is not asked again", async () => {
    await using stage = await openStage();
    const client = await (await stage.start()).connect();
    const first = await ask(client, "One?");
    stage.upstream.respond(losses["the vendor's own refusal"] as Script);
    const { last, repeats } = await ask(client, "Two?", { previous_response_id: first.id });
    assert.deepEqual(repeats, [told]);
    assert.ok(last?.type === "error");
    assert.equal(last.code, "previous_response_not_found");
    assert.equal(stage.upstream.requests.length, 3);
  });

  it("is continued with a function's output, and after an answer that was stopped", async () => {
    await using stage = await openStage();
    const client = await (await stage.start()).connect();
    const replies = (script: Script) =>
      stage.upstream.respond(({ body }) =>
        isContinued(body) ? (losses["the vendor's own refusal"] ?? script) : script,
      );
    const tool = { type: "function", name: "rain", argumentDeltas: ["{}"] } as const;
    replies(streamScript(answer({ responseId: "resp_a", tool })));
    const first = await ask(client, "Rain?");
    assert.ok(first.last?.type === "response" && first.last.request_type === "openai_chat");
    const call_id = String((first.last.data.output as readonly { call_id?: string }[]).at(-1)?.call_id);
    const result = { type: "function_call_output", call_id, output: "yes" };
    const parts = answerParts({ responseId: "resp_b", text: "It rains." });
    const shown = eventTexts([...parts.prologue, ...parts.deltas]);
    replies([streamHead(), ...shown.map((write) => ({ write })), { hang: true }]);
    client.send({ type: "openai_chat", id: "s", data: { input: [result], previous_response_id: first.id } });
    await client.next(({ type }) => type === "chunk");
    client.send({ type: "cancel", data: { request_id: "s" } });
    const stopped = await client.next(({ type }) => type === "response");
    assert.ok(stopped.type === "response" && stopped.request_type === "openai_chat");
    replies(streamScript(answer({ responseId: "resp_c", text: "Go." })));
    await ask(client, "And now?", { previous_response_id: stopped.data.id });
    assert.deepEqual(stage.input(), [
      user("Rain?"),
      { type: "function_call", call_id, name: "rain", arguments: "{}" },
      result,
      assistant(stopped.data.output_text),
      user("And now?"),
    ]);
  });
});
