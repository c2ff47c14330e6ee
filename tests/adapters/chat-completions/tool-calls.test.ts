import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ChatCalls } from "../../../src/adapters/chat-completions/chat-calls.ts";
import { streamScript } from "../../doubles/stream-script.ts";
import { hear } from "../../ports/hear.ts";
import { chunk, createChatSetup, done, finish, text } from "./chat-setup.ts";

const calls = (...tool_calls: readonly object[]) => chunk({ tool_calls });
const rain = (city: string) => ({ name: "rain", arguments: JSON.stringify({ city }) });

async function hearCalls(...events: readonly string[]) {
  await using under = await createChatSetup();
  under.double.respond(streamScript(events));
  return await hear(under);
}

/** The calls of the end's items, as `id name arguments`. */
async function itemsOf(...events: readonly string[]): Promise<string[]> {
  const { end } = await hearCalls(...events, finish("tool_calls"), done);
  assert.equal(end?.finishReason, "tool_calls");
  return (end.items ?? []).flatMap((item) =>
    item.type === "tool-call" ? [`${item.callId} ${item.name} ${item.arguments}`] : [],
  );
}

describe("tool calls of Chat Completions", () => {
  it("are told when they begin and when they are whole, and are the items of the answer", async () => {
    const piece = (args: string) => calls({ index: 0, function: { name: "", arguments: args } });
    const { events, end } = await hearCalls(
      ...[
        text("I look."),
        calls({ index: 0, id: "call_7", type: "function", function: { name: "rain", arguments: "" } }),
      ],
      ...[piece('{"city":'), piece('"Oslo"}'), finish("tool_calls"), done],
    );
    const item = { type: "function_call", id: "fc_call_7", call_id: "call_7", name: "rain" };
    const tool = { type: "tool", tool: "function", callId: "call_7" };
    assert.deepEqual(
      events.filter(({ type }) => type === "tool"),
      [
        { ...tool, status: "in_progress", payload: { ...item, arguments: "", status: "in_progress" } },
        {
          ...tool,
          status: "completed",
          payload: { ...item, arguments: '{"city":"Oslo"}', status: "completed" },
        },
      ],
    );
    assert.deepEqual(end?.items, [
      { type: "message", role: "assistant", parts: [{ type: "text", text: "I look." }] },
      { type: "tool-call", callId: "call_7", name: "rain", arguments: '{"city":"Oslo"}' },
    ]);
  });

  const oslo = `{"city":"Oslo"}`;
  const rome = `{"city":"Rome"}`;
  const two = [`a rain ${oslo}`, `b rain ${rome}`];
  const forms: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    [
      "by their index, in turns",
      [
        calls({ index: 0, id: "a", function: { name: "rain", arguments: '{"city":' } }),
        calls({ index: 1, id: "b", function: { name: "rain", arguments: rome } }),
        calls({ index: 0, function: { arguments: '"Oslo"}' } }),
      ],
      two,
    ],
    [
      "by their id, without an index",
      [calls({ id: "a", function: rain("Oslo") }), calls({ id: "b", function: rain("Rome") })],
      two,
    ],
    [
      "by a new id under a used index",
      [
        calls({ index: 0, id: "a", function: rain("Oslo") }),
        calls({ index: 0, id: "b", function: rain("Rome") }),
      ],
      two,
    ],
    [
      "by a second object under a used index",
      [calls({ index: 0, function: rain("Oslo") }), calls({ index: 0, function: { arguments: rome } })],
      [`call_0 rain ${oslo}`, `call_1 rain ${rome}`],
    ],
    [
      "by their place, in one chunk",
      [calls({ function: rain("Oslo") }, { function: rain("Rome") })],
      [`call_0 rain ${oslo}`, `call_1 rain ${rome}`],
    ],
    [
      "with arguments as an object, or none",
      [
        calls({ index: 0, id: "a", function: { name: "rain", arguments: { city: "Oslo" } } }),
        calls({ index: 1, id: "b", function: { name: "rain" } }),
      ],
      [`a rain ${oslo}`, "b rain {}"],
    ],
    [
      "with malformed arguments, as they are",
      [calls({ index: 0, id: "a", function: { name: "rain", arguments: '{"city":"Oslo"}}' } })],
      [`a rain ${oslo}}`],
    ],
    [
      "with brackets in a string",
      [
        calls({ index: 0, function: { name: "rain", arguments: '{"city":"}' } }),
        calls({ index: 0, function: { arguments: '{\\"]"}' } }),
        calls({ index: 0, function: { arguments: rome } }),
      ],
      ['call_0 rain {"city":"}{\\"]"}', `call_1 rain ${rome}`],
    ],
    [
      "with an end that is no JSON",
      [
        calls({ index: 0, function: { name: "rain", arguments: "{Oslo}" } }),
        calls({ index: 0, function: { arguments: rome } }),
      ],
      [`call_0 rain {Oslo}${rome}`],
    ],
    ["in the form of before", [chunk({ function_call: rain("Oslo") })], [`call_0 rain ${oslo}`]],
    [
      "with the id in every piece",
      [
        calls({ index: 0, id: "a", function: { name: "rain", arguments: '{"city":' } }),
        calls({ index: 0, id: "a", function: { name: "rain", arguments: '"Oslo"}' } }),
      ],
      [`a rain ${oslo}`],
    ],
  ];
  for (const [name, events, expected] of forms)
    it(`are told apart ${name}`, async () => {
      assert.deepEqual(await itemsOf(...events), expected);
    });

  it("are read once, however many pieces look like another call", (t) => {
    const parse = t.mock.method(JSON, "parse");
    const calls = new ChatCalls();
    const pieces = 1_000;
    for (const args of ['{"code":"', ...Array<string>(pieces).fill("{}")])
      calls.accept([{ index: 0, function: { name: "run", arguments: args } }]);
    const parsed = parse.mock.calls.reduce((chars, { arguments: [text] }) => chars + text.length, 0);
    assert.ok(parsed <= 10 * pieces, `${parsed} characters`);
    assert.equal(calls.whole().length, 1);
  });

  it("are the reason of the end, although the server says stop", async () => {
    const { end } = await hearCalls(
      calls({ index: 0, id: "a", function: rain("Oslo") }),
      finish("stop"),
      done,
    );
    assert.equal(end?.finishReason, "tool_calls");
  });

  it("are no items if the answer was cut in them", async () => {
    const cut = calls({ index: 0, id: "a", function: { name: "rain", arguments: '{"ci' } });
    const { events, end } = await hearCalls(cut, finish("length"), done);
    assert.deepEqual([end?.finishReason, end?.items], ["length", undefined]);
    assert.deepEqual(
      events.flatMap((event) => (event.type === "tool" ? [event.status] : [])),
      ["in_progress", "incomplete"],
    );
  });

  it("end the answer as invalid if one has no name", async () => {
    const { thrown } = await hearCalls(
      calls({ index: 0, id: "a", function: { arguments: "{}" } }),
      finish("stop"),
    );
    assert.equal((thrown as { code?: string }).code, "upstream_invalid");
  });
});
