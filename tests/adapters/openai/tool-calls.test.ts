import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ResponsesMachine } from "../../../src/adapters/openai/responses-machine.ts";
import type { JsonObject } from "../../../src/ports/json.ts";

function callIdsOf(events: readonly JsonObject[]): string[] {
  const machine = new ResponsesMachine({ includeReasoning: false });
  return events
    .flatMap((event) => machine.accept({ name: "", data: JSON.stringify(event) }))
    .flatMap((event) => (event.type === "tool" ? [event.callId] : []));
}

const added = (item: JsonObject) => ({ type: "response.output_item.added", output_index: 0, item });
const done = (item: JsonObject) => ({ type: "response.output_item.done", output_index: 0, item });

describe("a tool call is named by its own id", () => {
  for (const type of [
    ...["function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call"],
    ...["apply_patch_call", "tool_search_call", "shell_call_output", "a_call_of_next_year"],
  ])
    it(`${type} has a call id beside its item's id`, () => {
      const item = { type, id: "item_1", call_id: "call_1" };
      assert.deepEqual(callIdsOf([added(item), done(item)]), ["call_1", "call_1"]);
    });

  for (const [type, progress] of [
    ["web_search_call", "response.web_search_call.searching"],
    ["file_search_call", "response.file_search_call.searching"],
    ["code_interpreter_call", "response.code_interpreter_call.interpreting"],
    ["image_generation_call", "response.image_generation_call.generating"],
    ["mcp_call", "response.mcp_call.failed"],
  ] as const)
    it(`the item's id serves if there is no other: ${type}`, () => {
      const item = { type, id: "item_1" };
      const events = [added(item), { type: progress, item_id: "item_1" }, done(item)];
      assert.deepEqual(callIdsOf(events), ["item_1", "item_1", "item_1"]);
    });

  it("in the events between those of its item as well, for calls side by side", () => {
    const one = { type: "mcp_call", id: "item_1", call_id: "call_1" };
    const two = { type: "mcp_call", id: "item_2", call_id: "call_2" };
    const failed = (item_id: string) => ({ type: "response.mcp_call.failed", item_id });
    assert.deepEqual(callIdsOf([added(one), added(two), failed("item_2"), failed("item_1")]), [
      ...["call_1", "call_2", "call_2", "call_1"],
    ]);
  });

  it("the item's id serves if the call id is no name", () => {
    for (const call_id of [null, "", 7, {}])
      assert.deepEqual(callIdsOf([added({ type: "function_call", id: "item_1", call_id })]), ["item_1"]);
  });
});

describe("tokens that a vendor read from its prompt cache", () => {
  const usageOf = (usage: JsonObject) => {
    const machine = new ResponsesMachine({ includeReasoning: false });
    const response = { status: "completed", model: "m", output: [], usage };
    const [end] = machine.accept({
      name: "",
      data: JSON.stringify({ type: "response.completed", response }),
    });
    return end?.type === "end" ? end.usage : undefined;
  };
  const tokens = { input_tokens: 10, output_tokens: 2 };
  const read = { inputTokens: 10, outputTokens: 2, totalTokens: 12, estimated: false };

  it("are told, none of them too", () => {
    for (const cached_tokens of [0, 7, 10])
      assert.deepEqual(usageOf({ ...tokens, input_tokens_details: { cached_tokens } }), {
        ...read,
        cachedTokens: cached_tokens,
      });
  });

  it("are told beside those of writes to the cache and of reasoning", () => {
    const input_tokens_details = { cached_tokens: 3, cache_write_tokens: 7 };
    const output_tokens_details = { reasoning_tokens: 2 };
    const parts = { cachedTokens: 3, cacheWriteTokens: 7, reasoningTokens: 2 };
    assert.deepEqual(usageOf({ ...tokens, input_tokens_details, output_tokens_details }), {
      ...read,
      ...parts,
    });
    const tooMany = { input_tokens_details: { cached_tokens: 3, cache_write_tokens: 8 } };
    assert.deepEqual(usageOf({ ...tokens, ...tooMany }), { ...read, cachedTokens: 3 });
  });

  it("are not told if the vendor gives no figure, or an impossible one", () => {
    for (const input_tokens_details of [
      undefined,
      null,
      {},
      7,
      { cached_tokens: null },
      { cached_tokens: "7" },
    ])
      assert.deepEqual(
        usageOf({ ...tokens, ...(input_tokens_details === undefined ? {} : { input_tokens_details }) }),
        read,
      );
    for (const cached_tokens of [11, -1, 0.5])
      assert.deepEqual(usageOf({ ...tokens, input_tokens_details: { cached_tokens } }), read);
  });
});
