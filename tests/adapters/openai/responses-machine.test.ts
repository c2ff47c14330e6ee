import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ResponsesMachine } from "../../../src/adapters/openai/responses-machine.ts";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";

const newMachine = (includeReasoning = true) => new ResponsesMachine({ includeReasoning });
const unnamed = (data: string) => ({ name: "", data });

function accepted(events: readonly object[], includeReasoning = true): ProviderEvent[] {
  const machine = newMachine(includeReasoning);
  return events.flatMap((event) => machine.accept(unnamed(JSON.stringify(event))));
}

const isError = (code: string) => (error: unknown) => error instanceof TroupeError && error.code === code;

const delta = (text: unknown) => ({ type: "response.output_text.delta", delta: text });
const search = (status?: string) => ({ type: "web_search_call", id: "ws_1", ...(status && { status }) });

describe("one event of the Responses API", () => {
  const response = { id: "resp_1", status: "in_progress" };
  const table: readonly {
    event: { type: string; [field: string]: unknown };
    gives: readonly ProviderEvent[];
  }[] = [
    { event: { type: "response.created", response }, gives: [{ type: "started", response }] },
    { event: { type: "response.created" }, gives: [{ type: "started" }] },
    { event: { type: "response.queued", response }, gives: [{ type: "started", response }] },
    { event: { type: "response.in_progress", response }, gives: [{ type: "started", response }] },
    { event: { type: "response.in_progress" }, gives: [] },
    { event: delta("naïve 😀"), gives: [{ type: "text", text: "naïve 😀" }] },
    { event: delta(""), gives: [] },
    { event: delta(7), gives: [] },
    { event: { type: "response.refusal.delta", delta: "No." }, gives: [{ type: "text", text: "No." }] },
    { event: { type: "response.output_text.done", text: "All." }, gives: [{ type: "text", text: "All." }] },
    { event: { type: "response.refusal.done", refusal: "No." }, gives: [{ type: "text", text: "No." }] },
    { event: { type: "response.content_part.added", part: { type: "output_text", text: "" } }, gives: [] },
    { event: { type: "response.output_text.annotation.added", annotation: {} }, gives: [] },
    {
      event: { type: "response.reasoning_summary_text.delta", delta: "hm" },
      gives: [{ type: "reasoning", text: "hm" }],
    },
    {
      event: { type: "response.reasoning_text.delta", delta: "hm" },
      gives: [{ type: "reasoning", text: "hm" }],
    },
    { event: { type: "response.reasoning_summary_part.added" }, gives: [] },
    {
      event: { type: "response.reasoning_summary_text.done", text: "hm" },
      gives: [{ type: "reasoning", text: "hm" }],
    },
    { event: { type: "response.output_item.added", item: { type: "message", id: "m" } }, gives: [] },
    { event: { type: "response.output_item.done", item: { type: "reasoning", id: "r" } }, gives: [] },
    { event: { type: "response.output_item.added" }, gives: [] },
    {
      event: { type: "response.output_item.added", item: search() },
      gives: [{ type: "tool", tool: "web_search", status: "in_progress", callId: "ws_1", payload: search() }],
    },
    {
      event: { type: "response.output_item.done", item: search("failed") },
      gives: [
        { type: "tool", tool: "web_search", status: "failed", callId: "ws_1", payload: search("failed") },
      ],
    },
    {
      event: { type: "response.output_item.done", item: { type: "function_call" } },
      gives: [
        {
          type: "tool",
          tool: "function",
          status: "completed",
          callId: "",
          payload: { type: "function_call" },
        },
      ],
    },
    {
      event: { type: "response.web_search_call.searching", item_id: "ws_1" },
      gives: [{ type: "tool", tool: "web_search", status: "searching", callId: "ws_1" }],
    },
    { event: { type: "response.web_search_call.in_progress", item_id: "ws_1" }, gives: [] },
    { event: { type: "response.web_search_call.completed", item_id: "ws_1" }, gives: [] },
    {
      event: { type: "response.code_interpreter_call.interpreting", item_id: "ci_1" },
      gives: [{ type: "tool", tool: "code_interpreter", status: "interpreting", callId: "ci_1" }],
    },
    { event: { type: "response.function_call_arguments.delta", delta: "{" }, gives: [] },
    { event: { type: "response.telepathy.delta", delta: "MUST NOT BE SHOWN" }, gives: [] },
  ];
  for (const { event, gives } of table) {
    it(`${JSON.stringify(event).slice(0, 90)} gives ${gives.map(({ type }) => type).join() || "nothing"}`, () => {
      assert.deepEqual(accepted([event]), gives);
    });
  }

  it("without a type and without an error gives nothing", () => {
    assert.deepEqual(accepted([{ hello: "world" }, { type: 7 }, { error: null }]), []);
  });

  it("of reasoning gives nothing unless it was asked for, and a gap between two parts if it was", () => {
    const events = ["one", "two"].flatMap((text) => [
      { type: "response.reasoning_summary_part.added" },
      { type: "response.reasoning_summary_text.delta", delta: text },
    ]);
    assert.deepEqual(accepted(events, false), []);
    assert.equal(
      accepted(events)
        .map((event) => event.type === "reasoning" && event.text)
        .join(""),
      "one\n\ntwo",
    );
  });
});

describe("an error in the stream", () => {
  const table: readonly { data: object; code: string }[] = [
    { data: { type: "error", code: "server_error", message: "m", param: null }, code: "upstream_error" },
    { data: { type: "error", code: null, message: "m" }, code: "upstream_error" },
    { data: { type: "error", error: { code: "rate_limit_exceeded", message: "m" } }, code: "rate_limited" },
    { data: { type: "error", error: { type: "insufficient_quota", message: "m" } }, code: "quota_exceeded" },
    { data: { error: { message: "m", type: "server_error", code: null } }, code: "upstream_error" },
    { data: { error: { code: "context_length_exceeded" } }, code: "context_length_exceeded" },
    {
      data: { type: "response.failed", response: { error: { code: "invalid_prompt" } } },
      code: "upstream_invalid_request",
    },
    {
      data: { type: "response.failed", response: { error: { code: "vector_store_timeout" } } },
      code: "upstream_error",
    },
    { data: { type: "response.failed", response: { error: null } }, code: "upstream_error" },
    { data: { type: "response.failed" }, code: "upstream_error" },
  ];
  for (const { data, code } of table) {
    it(`${JSON.stringify(data)} is ${code}`, () => {
      const machine = newMachine();
      machine.accept(unnamed(JSON.stringify(delta("so far"))));
      assert.throws(() => machine.accept(unnamed(JSON.stringify(data))), isError(code));
      assert.equal(machine.ended, false);
    });
  }

  for (const data of ["<html>", "", "null", "7", '"text"', "[]", '{"type":"response.']) {
    it(`${JSON.stringify(data)} is not an answer`, () => {
      assert.throws(() => newMachine().accept(unnamed(data)), isError("upstream_invalid"));
    });
  }
});

describe("the end of the stream", () => {
  const usage = { input_tokens: 3, output_tokens: 4, total_tokens: 99 };
  const message = (...parts: object[]) => ({ type: "message", content: parts });
  const endOf = (response: object, before: readonly object[] = [delta("x")]) =>
    accepted([...before, { type: "response.completed", response }]).at(-1);

  it("is reported once, with the vendor's object, its model and its usage", () => {
    const output = [message({ type: "output_text", text: "x", annotations: [] })];
    const response = { id: "r", model: "gpt-dated", status: "completed", usage, output };
    assert.deepEqual(accepted([delta("x"), { type: "response.completed", response }]), [
      { type: "text", text: "x" },
      {
        type: "end",
        finishReason: "stop",
        model: "gpt-dated",
        response,
        usage: { inputTokens: 3, outputTokens: 4, totalTokens: 7, estimated: false },
      },
    ]);
  });

  it("is the last event: all later ones are ignored", () => {
    const machine = newMachine();
    machine.accept(unnamed(JSON.stringify({ type: "response.completed", response: {} })));
    assert.equal(machine.ended, true);
    for (const late of [JSON.stringify(delta("late")), "[DONE]", "not JSON", '{"type":"error"}'])
      assert.deepEqual(machine.accept(unnamed(late)), []);
    machine.finish();
  });

  it("without a response is no end", () => {
    assert.throws(() => accepted([{ type: "response.completed" }]), isError("upstream_invalid"));
  });

  const reasons: readonly {
    response: { status?: string; [field: string]: unknown };
    finishReason: string;
  }[] = [
    { response: { status: "completed", incomplete_details: null }, finishReason: "stop" },
    {
      response: { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } },
      finishReason: "length",
    },
    {
      response: { status: "incomplete", incomplete_details: { reason: "content_filter" } },
      finishReason: "content_filter",
    },
    { response: { status: "incomplete" }, finishReason: "length" },
    { response: { output: [{ type: "function_call" }] }, finishReason: "tool_calls" },
    { response: { output: [{ type: "custom_tool_call" }] }, finishReason: "tool_calls" },
    { response: { output: [{ type: "web_search_call" }, null, "x"] }, finishReason: "stop" },
    { response: { output: "odd" }, finishReason: "stop" },
  ];
  for (const { response, finishReason } of reasons) {
    it(`${JSON.stringify(response)} finishes by ${finishReason}`, () => {
      const end = endOf(response);
      assert.equal(end?.type === "end" && end.finishReason, finishReason);
      const incomplete = accepted([delta("x"), { type: "response.incomplete", response }]).at(-1);
      // If the response itself does not say how it ended, the event does.
      const told = response.status === undefined ? "length" : finishReason;
      assert.equal(incomplete?.type === "end" && incomplete.finishReason, told);
    });
  }

  it("gives the whole text if and only if there was no delta", () => {
    const output = [
      { type: "reasoning", content: [{ text: "Hm." }] },
      message(
        { type: "output_text", text: "All " },
        { type: "refusal", refusal: "of it" },
        {},
        null as never,
      ),
      message({ type: "output_text", text: "." }),
      { type: "message" },
    ];
    const unstreamed = [{ type: "response.completed", response: { output } }];
    const text = { type: "text", text: "All of it." };
    assert.deepEqual(accepted(unstreamed).slice(0, -1), [{ type: "reasoning", text: "Hm." }, text]);
    assert.deepEqual(accepted(unstreamed, false).slice(0, -1), [text]);
    const shown = accepted([delta("Other"), { type: "response.completed", response: { output } }]);
    assert.deepEqual(
      shown.map(({ type }) => type),
      ["text", "end"],
    );
  });

  it("has no usage and no model if the vendor gave no valid ones", () => {
    const output = [message({ type: "output_text", text: "x", annotations: [] })];
    for (const odd of [
      undefined,
      null,
      {},
      { input_tokens: -1, output_tokens: 2 },
      { input_tokens: "3", output_tokens: 4 },
    ])
      assert.deepEqual(endOf({ usage: odd, output }), {
        type: "end",
        finishReason: "stop",
        model: "unknown",
        response: JSON.parse(JSON.stringify({ usage: odd, output })),
      });
  });

  it("before the end event is an error: empty if nothing arrived, truncated otherwise", () => {
    const silent = newMachine();
    assert.equal(silent.silent, true);
    assert.throws(() => silent.accept(unnamed("[DONE]")), isError("upstream_empty"));
    assert.throws(() => silent.finish(), isError("upstream_empty"));
    const open = newMachine();
    open.accept(unnamed(JSON.stringify({ type: "response.queued" })));
    assert.equal(open.silent, false);
    assert.throws(() => open.accept(unnamed("[DONE]")), isError("upstream_truncated"));
    assert.throws(() => open.finish(), isError("upstream_truncated"));
  });
});
