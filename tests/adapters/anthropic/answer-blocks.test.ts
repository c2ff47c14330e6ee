import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessagesMachine } from "../../../src/adapters/anthropic/messages-machine.ts";
import { itemLimits } from "../../../src/ports/item.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { streamScript } from "../../doubles/stream-script.ts";
import { hear } from "../../ports/hear.ts";
import {
  args,
  begin,
  close,
  createAnthropicSetup,
  grow,
  open,
  openText,
  question,
  reason,
  says,
  sign,
  stop,
  text,
  think,
} from "./anthropic-setup.ts";

async function hearEvents(events: readonly string[], changes: Parameters<typeof hear>[1] = {}) {
  await using under = await createAnthropicSetup();
  under.double.respond(streamScript(events));
  return await hear(under, changes);
}

const cited = (source: object) => ({ type: "web_search_result_location", ...source });
const thinking = open({ type: "thinking", thinking: "", signature: "" });

describe("thinking of the Messages API", () => {
  const answer = [
    begin(),
    thinking,
    think("Hm"),
    think("."),
    sign("s-1"),
    close(),
    openText(1),
    text("Yes.", 1),
  ];
  const closing = [close(1), reason("end_turn"), stop];

  it("is shown if the client wants it, and kept with its signature either way", async () => {
    for (const includeReasoning of [true, false]) {
      const { reasoning, end } = await hearEvents([...answer, ...closing], { includeReasoning });
      assert.equal(reasoning, includeReasoning ? "Hm." : "");
      const [thought, said] = end?.items ?? [];
      assert.ok(thought?.type === "reasoning" && said?.type === "message");
      assert.deepEqual([thought.text, thought.providerState?.provider], ["Hm.", "anthropic"]);
      assert.equal(thought.providerState?.state.signature, "s-1");
      assert.equal(JSON.stringify(end?.response?.output).includes("Hm."), includeReasoning);
    }
  });

  it("that is redacted is kept and not shown (Q19)", async () => {
    const redacted = [open({ type: "redacted_thinking", data: "d-1" }), close()];
    const { reasoning, events, end } = await hearEvents(
      [begin(), ...redacted, openText(1), text("Yes.", 1), ...closing],
      { includeReasoning: true },
    );
    assert.equal(reasoning, "");
    assert.deepEqual(
      events.map(({ type }) => type),
      ["started", "text", "end"],
    );
    const [thought] = end?.items ?? [];
    assert.ok(thought?.type === "reasoning");
    assert.deepEqual([thought.text, thought.providerState?.state.data], ["", "d-1"]);
  });

  it("without a signature is not kept, because the API would refuse it", async () => {
    const { reasoning, end } = await hearEvents([...answer.slice(0, 4), ...answer.slice(5), ...closing], {
      includeReasoning: true,
    });
    assert.deepEqual([reasoning, end?.items], ["Hm.", undefined]);
  });

  it("goes back with the next request of its conversation, and not to another model", async () => {
    await using under = await createAnthropicSetup();
    const call = [open({ type: "tool_use", id: "toolu_1", name: "rain", input: {} }, 1), close(1)];
    under.double.respond(streamScript([...answer.slice(0, 6), ...call, reason("tool_use"), stop]));
    const { end } = await hear(under, { includeReasoning: true });
    const result = { type: "tool-result", callId: "toolu_1", output: [] } as const;
    const input = [...under.request.input, ...(end?.items ?? []), result];
    under.double.respond(streamScript([says("Yes.")]));
    await hear(under, { input });
    await hear(under, { input, model: "claude-opus-5" });
    const sent = under.double.requests.map(({ body }) => JSON.stringify(body));
    const block = JSON.stringify({ type: "thinking", thinking: "Hm.", signature: "s-1" });
    assert.deepEqual([sent[1]?.includes(block), sent[2]?.includes("s-1")], [true, false]);
  });
});

describe("tools of the Messages API", () => {
  const rain = open({ type: "tool_use", id: "toolu_1", name: "rain", input: {} });

  it("are called with their ids and their whole arguments", async () => {
    const pieces = [args(""), args('{"city"'), args(':"Oslo"}'), close()];
    const second = [
      open({ type: "tool_use", id: "toolu_2", name: "snow", input: {} }, 1),
      args("", 1),
      close(1),
    ];
    const { events, end } = await hearEvents([begin(), rain, ...pieces, ...second, reason("tool_use"), stop]);
    assert.deepEqual(
      events.flatMap((event) =>
        event.type === "tool" ? [[event.tool, event.callId, event.status, event.payload?.arguments]] : [],
      ),
      [
        ["function", "toolu_1", "in_progress", ""],
        ["function", "toolu_2", "in_progress", ""],
        ["function", "toolu_1", "completed", '{"city":"Oslo"}'],
        ["function", "toolu_2", "completed", "{}"],
      ],
    );
    assert.equal(end?.finishReason, "tool_calls");
    assert.deepEqual(end?.items, [
      { type: "tool-call", callId: "toolu_1", name: "rain", arguments: '{"city":"Oslo"}' },
      { type: "tool-call", callId: "toolu_2", name: "snow", arguments: "{}" },
    ]);
  });

  it("are not called if the answer was cut", async () => {
    const { events, end } = await hearEvents([
      begin(),
      rain,
      args('{"ci'),
      close(),
      reason("max_tokens"),
      stop,
    ]);
    assert.deepEqual([end?.finishReason, end?.items], ["length", undefined]);
    const last = events.findLast((event) => event.type === "tool");
    assert.equal(last?.status, "incomplete");
  });

  it("without a name are invalid", async () => {
    const unnamed = open({ type: "tool_use", id: "toolu_1", input: {} });
    const { thrown } = await hearEvents([begin(), unnamed]);
    assert.ok(thrown instanceof TroupeError && thrown.code === "upstream_invalid");
  });

  const search = open({ type: "server_tool_use", id: "srv_1", name: "web_search", input: {} });
  const query = args('{"query":"rain"}');
  const found = (content: unknown) =>
    open({ type: "web_search_tool_result", tool_use_id: "srv_1", content }, 1);
  const results: readonly (readonly [string, readonly string[]])[] = [
    ["completed", [found([{ type: "web_search_result", url: "http://a.b", title: "A" }])]],
    ["failed", [found({ type: "web_search_tool_result_error", error_code: "unavailable" })]],
    ["incomplete", []],
  ];
  for (const [status, result] of results)
    it(`that the vendor runs are told: ${status}`, async () => {
      const { events, end } = await hearEvents([
        begin(),
        search,
        query,
        close(),
        ...result,
        reason("pause_turn"),
        stop,
      ]);
      const item = {
        type: "web_search_call",
        id: "srv_1",
        status,
        action: { type: "search", query: "rain" },
      };
      const told = events.flatMap((event) => (event.type === "tool" ? [event] : []));
      assert.deepEqual(
        told.map(({ tool, callId, status: state }) => [tool, callId, state]),
        [
          ["web_search", "srv_1", "in_progress"],
          ["web_search", "srv_1", status],
        ],
      );
      assert.deepEqual(told.at(-1)?.payload, item);
      assert.equal(JSON.stringify(end?.response?.output).includes(JSON.stringify(item)), true);
    });

  it("give their sources once, and the response object the place of each citation", async () => {
    const cite = (url: string, index: number) =>
      grow(
        { type: "citations_delta", citation: { type: "web_search_result_location", url, title: "A" } },
        index,
      );
    const cited = [openText(1), cite("http://a.b", 1), text("it rains", 1), cite("http://a.b", 1), close(1)];
    const page = grow(
      { type: "citations_delta", citation: { type: "page_location", document_title: "d" } },
      1,
    );
    const { end } = await hearEvents([
      begin(),
      openText(),
      text("Look: "),
      close(),
      ...cited,
      page,
      reason("end_turn"),
      stop,
    ]);
    assert.deepEqual(end?.items?.at(-1), { type: "source", url: "http://a.b", title: "A" });
    assert.equal(end?.items?.length, 2);
    const place = { start_index: 6, end_index: 14 };
    const annotation = { type: "url_citation", url: "http://a.b", title: "A", ...place };
    assert.equal(
      JSON.stringify(end?.response?.output).includes(JSON.stringify([annotation, annotation])),
      true,
    );
  });

  it("have sources within the limits of stored items", async () => {
    const cite = (source: object) => grow({ type: "citations_delta", citation: cited(source) });
    const longest = `https://a.b/${"a".repeat(itemLimits.urlChars - 12)}`;
    const { end } = await hearEvents([
      ...[begin(), openText(), text("Look.")],
      cite({ url: `${longest}a`, title: "Too long" }),
      cite({ url: longest, title: "t".repeat(2_000) }),
      ...Array.from({ length: 300 }, (_, index) => cite({ url: `https://a.b/${index}` })),
      ...[close(), reason("end_turn"), stop],
    ]);
    const [, first, ...others] = end?.items ?? [];
    assert.deepEqual(first, { type: "source", url: longest, title: "t".repeat(itemLimits.nameChars) });
    assert.equal(others.length, 255);
  });
});

describe("an answer of the Messages API that is larger than what is held", () => {
  it("is shown to its end, and then fails", async () => {
    const long = "a".repeat(4 * 1024 * 1024);
    const { text: said, thrown } = await hearEvents([
      ...[begin(), openText(), ...Array.from({ length: 5 }, () => text(long)), close()],
      ...[reason("end_turn"), stop],
    ]);
    assert.equal(said.length, 5 * long.length);
    assert.ok(thrown instanceof TroupeError && thrown.code === "answer_too_large");
  });

  const long = "a".repeat(9 * 1024 * 1024);
  const blockStart = (content_block: object, index: number) => ({
    type: "content_block_start",
    ...{ index, content_block },
  });
  const citation = {
    type: "citations_delta",
    citation: { type: "web_search_result_location", url: "http:" },
  };
  for (const [what, events] of [
    ["blocks", Array.from({ length: 70_000 }, (_, index) => blockStart({ type: "text", text: "" }, index))],
    [
      "whole calls",
      [1, 2].map((at) => blockStart({ type: "tool_use", id: "t", name: "n", input: { long } }, at)),
    ],
    ["ids", [1, 2].map((at) => blockStart({ type: "tool_use", id: long, name: "n", input: {} }, at))],
    [
      "whole calls of the vendor's tools",
      [1, 2].map((at) => blockStart({ type: "server_tool_use", id: "s", name: "x", input: { long } }, at)),
    ],
    [
      "whole signatures",
      [1, 2].map((at) => blockStart({ type: "thinking", thinking: "", signature: long }, at)),
    ],
    [
      "citations",
      [
        blockStart({ type: "text", text: "" }, 0),
        ...Array.from({ length: 70_000 }, () => ({ type: "content_block_delta", index: 0, delta: citation })),
      ],
    ],
  ] as const)
    it(`counts its ${what} too`, () => {
      const machine = new MessagesMachine(question, "origin");
      const end = { type: "message_delta", delta: { stop_reason: "end_turn" } };
      for (const event of [...events, end]) machine.accept({ name: "", data: JSON.stringify(event) });
      assert.throws(
        () => machine.finish(),
        (error) => error instanceof TroupeError && error.code === "answer_too_large",
      );
    });

  it("does not count the results of the vendor's tools, which are not held", async () => {
    const result = (index: number) =>
      open({ type: "web_fetch_tool_result", tool_use_id: "s", content: { long } }, index);
    const { end } = await hearEvents([
      ...[begin(), result(0), result(1), openText(2), text("Yes.", 2), close(2)],
      ...[reason("end_turn"), stop],
    ]);
    assert.equal(end?.finishReason, "stop");
  });
});
