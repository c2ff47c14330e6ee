import assert from "node:assert/strict";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { args, begin, close, open, reason, stop } from "../adapters/anthropic/anthropic-setup.ts";
import * as chat from "../adapters/chat-completions/chat-setup.ts";
import * as gemini from "../adapters/gemini/gemini-setup.ts";
import { answer } from "../doubles/answer.ts";
import { httpError, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import type { RunningTroupe } from "../support/start-troupe.ts";

const call = open({ type: "tool_use", id: "toolu_1", name: "rain", input: {} });
const claudeCalls = streamScript([begin(), call, args('{"at":"noon"}'), close(), reason("tool_use"), stop]);
const geminiSays = streamScript([gemini.text("It rains."), gemini.finish("STOP")]);
const llamaSays = streamScript([chat.text("Take a coat."), chat.finish("stop"), chat.usageChunk, chat.done]);
const unknown = httpError(400, {
  ...{ message: "Previous response not found.", type: "invalid_request_error" },
  ...{ param: "previous_response_id", code: "previous_response_not_found" },
});

/**
 * Asks four APIs in turn and then the first one again, each turn at the next of some servers that share their store. The conversation has a
 * picture and a function call. Asserts the context that each API was sent.
 */
export async function moveConversation(
  start: (options: TroupeOptions) => Promise<RunningTroupe>,
  servers = 1,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const openUpstream = async () => stack.use(await createUpstreamDouble());
  const [house, claude, google, llama] = [
    await openUpstream(),
    await openUpstream(),
    await openUpstream(),
    await openUpstream(),
  ];
  house.respond(({ body }) =>
    Object.hasOwn(body as object, "previous_response_id")
      ? unknown
      : streamScript(answer({ responseId: `resp_${house.calls}`, text: "A grey sky." })),
  );
  claude.respond(claudeCalls);
  google.respond(geminiSays);
  llama.respond(llamaSays);
  const key = "key-of-a-test";
  const providers = {
    house: { kind: "responses", baseUrl: house.baseUrl, key, model: "gpt-4o-mini" },
    claude: { kind: "anthropic", baseUrl: claude.baseUrl, key, model: "claude-sonnet-5" },
    google: { kind: "gemini", baseUrl: google.baseUrl, key, model: "gemini-3-pro" },
    llama: { kind: "chat-completions", baseUrl: llama.baseUrl, model: "llama3.2" },
  } as const;
  const clients = await Promise.all(
    Array.from({ length: servers }, async () => {
      const server = stack.use(await start({ configuration: { providers }, pacing: "raw" }));
      return server.connect();
    }),
  );
  let previous: unknown;
  let turn = 0;
  const ask = async (api: string, data: object) => {
    const after = previous === undefined ? {} : { previous_response_id: previous };
    const client = clients[turn % servers] ?? assert.fail();
    turn += 1;
    client.send({ type: "openai_chat", data: { api, ...data, ...after } });
    const last = await client.next(({ type }) => type === "response" || type === "error");
    assert.ok(last.type === "response" && last.request_type === "openai_chat", JSON.stringify(last));
    previous = last.data.id;
    return last;
  };
  const bodyOf = ({ requests }: typeof house) => requests.at(-1)?.body as Record<string, unknown>;

  const picture = "data:image/png;base64,iVBORw0KGgo=";
  const content = [
    { type: "input_text", text: "What is this?" },
    { type: "input_image", image_url: picture },
  ];
  await ask("house", { input: [{ role: "user", content }] });
  const tools = [{ type: "function", name: "rain", parameters: { type: "object" } }];
  const called = await ask("claude", { input_text: "Does it rain?", tools });
  assert.equal(called.finish_reason, "tool_calls");
  const output = { type: "function_call_output", call_id: "toolu_1", output: "yes" };
  assert.equal((await ask("google", { input: [output], tools })).data.output_text, "It rains.");
  assert.equal((await ask("llama", { input_text: "What to wear?" })).data.output_text, "Take a coat.");
  await ask("house", { input_text: "Thanks." });

  const source = { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" };
  assert.deepEqual(bodyOf(claude).messages, [
    {
      role: "user",
      content: [
        { type: "text", text: "What is this?" },
        { type: "image", source },
      ],
    },
    { role: "assistant", content: "A grey sky." },
    { role: "user", content: "Does it rain?" },
  ]);
  const [first, ...others] = bodyOf(google).contents as readonly { role: string; parts: object[] }[];
  assert.deepEqual(first, {
    role: "user",
    parts: [{ text: "What is this?" }, { inlineData: { mimeType: "image/png", data: "iVBORw0KGgo=" } }],
  });
  assert.deepEqual(
    others.map(({ role, parts }) => [role, parts.map((part) => Object.keys(part)[0])]),
    [
      ...[["model", ["text"]] as const, ["user", ["text"]] as const],
      ...[["model", ["functionCall"]] as const, ["user", ["functionResponse"]] as const],
    ],
  );
  assert.match(JSON.stringify(others), /"name":"rain","args":\{"at":"noon"\}.*"yes"/);
  const llamaMessages = bodyOf(llama).messages as readonly Record<string, unknown>[];
  assert.deepEqual(
    llamaMessages.map(({ role }) => role),
    ["user", "assistant", "user", "assistant", "tool", "assistant", "user"],
  );
  const [asked = {}, , , calling, result, told] = llamaMessages;
  assert.deepEqual(asked.content, [
    { type: "text", text: "What is this?" },
    { type: "image_url", image_url: { url: picture } },
  ]);
  const rain = { id: "toolu_1", type: "function", function: { name: "rain", arguments: '{"at":"noon"}' } };
  assert.deepEqual(calling?.tool_calls, [rain]);
  assert.deepEqual(result, { role: "tool", tool_call_id: "toolu_1", content: "yes" });
  assert.equal(told?.content, "It rains.");
  assert.deepEqual(bodyOf(house).input, [
    {
      ...{ type: "message", role: "user" },
      content: [content[0], { type: "input_image", detail: "auto", image_url: picture }],
    },
    { type: "message", role: "assistant", content: "A grey sky." },
    { type: "message", role: "user", content: "Does it rain?" },
    { type: "function_call", call_id: "toolu_1", name: "rain", arguments: '{"at":"noon"}' },
    output,
    { type: "message", role: "assistant", content: "It rains." },
    { type: "message", role: "user", content: "What to wear?" },
    { type: "message", role: "assistant", content: "Take a coat." },
    { type: "message", role: "user", content: "Thanks." },
  ]);
}
