import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessagesMachine } from "../../../src/adapters/anthropic/messages-machine.ts";
import { EventReader } from "../../../src/adapters/upstream/event-reader.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import type { Script } from "../../doubles/script.ts";
import { plainResponse, streamHead, streamScript } from "../../doubles/stream-script.ts";
import { hear } from "../../ports/hear.ts";
import {
  begin,
  close,
  createAnthropicSetup,
  failure,
  frame,
  grow,
  open,
  openText,
  ping,
  question,
  reason,
  says,
  stop,
  text,
  think,
} from "./anthropic-setup.ts";

async function hearScript(script: Script, changes: Parameters<typeof hear>[1] = {}) {
  await using under = await createAnthropicSetup();
  under.double.respond(script);
  return await hear(under, changes);
}

const hearEvents = (events: readonly string[], changes = {}) => hearScript(streamScript(events), changes);

async function codeOf(script: Script): Promise<unknown[]> {
  const { thrown, text: said } = await hearScript(script);
  assert.ok(thrown instanceof TroupeError);
  return [thrown.code, thrown.safeToRepeat, said];
}

const whole = [begin(), openText(), text("Yes."), close()];

describe("the events of the Messages API", () => {
  it("are a start, texts and an end with the whole response", async () => {
    const { events, end } = await hearEvents([says("Yes.")], { temperature: 0.5 });
    assert.deepEqual(
      events.map(({ type }) => type),
      ["started", "text", "end"],
    );
    const [started] = events;
    assert.ok(started?.type === "started");
    assert.deepEqual([started.response?.id, started.response?.status], ["resp_msg_1", "in_progress"]);
    const usage = { inputTokens: 12, outputTokens: 3, totalTokens: 15, estimated: false };
    assert.deepEqual([end?.finishReason, end?.model, end?.usage], ["stop", "claude-sonnet-5", usage]);
    const { id, status, output, store, temperature } = end?.response ?? {};
    assert.deepEqual([id, status, store, temperature], ["resp_msg_1", "completed", false, 0.5]);
    const content = [{ type: "output_text", text: "Yes.", annotations: [] }];
    assert.deepEqual(output, [{ type: "message", role: "assistant", status: "completed", content }]);
    assert.equal(end?.items, undefined);
  });

  const ends = [
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["pause_turn", "stop"],
    ["a_new_reason", "stop"],
    ["max_tokens", "length"],
    ["constructor", "stop"],
    ["model_context_window_exceeded", "length"],
    ["refusal", "content_filter"],
    ["sensitive", "content_filter"],
  ] as const;
  for (const [told, ours] of ends)
    it(`end as ${ours} for ${told}`, async () => {
      const { end } = await hearEvents([...whole, reason(told), stop]);
      assert.equal(end?.finishReason, ours);
      assert.equal(end?.response?.status, ours === "stop" ? "completed" : "incomplete");
    });

  it("end without message_stop, if the reason has come", async () => {
    assert.equal((await hearEvents([...whole, reason("end_turn")])).end?.finishReason, "stop");
    assert.deepEqual(await codeOf(streamScript(whole)), ["upstream_truncated", false, "Yes."]);
    assert.deepEqual(await codeOf(streamScript([...whole, reason(null)])), [
      "upstream_truncated",
      false,
      "Yes.",
    ]);
  });

  it("are read once, although a gateway sends the start twice or leaves it out", async () => {
    const twice = await hearEvents([begin(), begin(), ...whole.slice(1), reason("end_turn"), stop]);
    assert.equal(twice.events.filter(({ type }) => type === "started").length, 1);
    const none = await hearEvents([text("Yes."), reason("end_turn"), stop]);
    assert.deepEqual([none.text, none.end?.finishReason, none.thrown], ["Yes.", "stop", undefined]);
    assert.equal(none.events[0]?.type, "started");
  });

  it("of unknown types and blocks are left out, and events after the end too", async () => {
    const strange = [
      frame({ type: "message_thing" }),
      open({ type: "hologram" }, 7),
      grow({ type: "glow" }, 7),
    ];
    const { text: said, thrown } = await hearEvents([
      ...strange,
      ...whole,
      reason("end_turn"),
      stop,
      text("No."),
    ]);
    assert.deepEqual([said, thrown], ["Yes.", undefined]);
  });

  it("join the texts of all blocks, and a text that a block starts with", async () => {
    const blocks = [
      open({ type: "text", text: "It " }),
      text("rains"),
      close(),
      openText(1),
      text(".", 1),
      close(1),
    ];
    const { text: said, end } = await hearEvents([begin(), ...blocks, reason("end_turn"), stop]);
    assert.equal(said, "It rains.");
    assert.equal(JSON.stringify(end?.response?.output).includes('"It rains."'), true);
  });

  it("padded before the last brace are read (Q18)", async () => {
    const padded = [1, 2, 3, 4].map((count) => text("a").replace(/\}\n/, `${" ".repeat(count)}}\n`));
    assert.equal((await hearEvents([begin(), openText(), ...padded, reason("end_turn"), stop])).text, "aaaa");
  });

  it("that only extend a text or thinking are read without being parsed", () => {
    let parsed = 0;
    class CountingMachine extends MessagesMachine {
      override accept(...event: Parameters<MessagesMachine["accept"]>) {
        parsed += 1;
        return super.accept(...event);
      }
    }
    const machine = new CountingMachine({ ...question, includeReasoning: true }, "origin");
    const reader = new EventReader(machine);
    const many = (delta: (words: string, index: number) => string, index: number) =>
      Array.from({ length: 200 }, (_, at) => delta(`${at} "\\`, index)).join("");
    const thoughts = open({ type: "thinking", thinking: "" }) + many(think, 0) + close();
    const body = begin() + thoughts + openText(1) + many(text, 1) + close(1) + reason("end_turn") + stop;
    const { events } = reader.read(Buffer.from(body));
    // Every event but the deltas, and the first delta of each kind.
    assert.equal(parsed, 7 + 2);
    assert.deepEqual(
      events.map(({ type }) => type),
      ["started", "reasoning", "text", "end"],
    );
  });

  it("that are pings are no events, and no progress", async () => {
    await using under = await createAnthropicSetup();
    under.double.respond([streamHead(), { write: ping }, { hang: true }]);
    const batches = under.provider.stream(under.request, { signal: new AbortController().signal });
    const failed = assert.rejects(
      batches[Symbol.asyncIterator]().next(),
      (error) => error instanceof TroupeError && error.code === "upstream_timeout",
    );
    await under.double.received(1);
    while (under.clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve));
    await under.clock.advance(60_001);
    await failed;
  });

  it("are one answer if the body is no stream", async () => {
    const content = [
      { type: "thinking", thinking: "Hm.", signature: "sig" },
      { type: "text", text: "Yes." },
      { type: "tool_use", id: "toolu_1", name: "rain", input: { city: "Oslo" } },
    ];
    const body = { id: "msg_2", type: "message", model: "m", content, stop_reason: "tool_use" };
    const usage = { input_tokens: 5, output_tokens: 6 };
    const {
      text: said,
      reasoning,
      end,
    } = await hearScript(plainResponse(200, { ...body, usage }), {
      includeReasoning: true,
    });
    assert.deepEqual([said, reasoning, end?.finishReason, end?.model], ["Yes.", "Hm.", "tool_calls", "m"]);
    assert.deepEqual(
      end?.items?.map(({ type }) => type),
      ["reasoning", "message", "tool-call"],
    );
    assert.equal(end?.usage?.totalTokens, 11);
    assert.deepEqual(await codeOf(plainResponse(200, { hello: 1 })), ["upstream_invalid", false, ""]);
    const error = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
    assert.deepEqual(await codeOf(plainResponse(200, error)), ["upstream_overloaded", true, ""]);
  });
});

describe("usage of the Messages API", () => {
  const usageOf = async (first: object, last: object | undefined) =>
    (await hearEvents([begin(first), ...whole.slice(1), reason("end_turn", {}, last), stop])).end?.usage;

  it("counts what was read from the cache and written to it as input", async () => {
    const cache = { cache_read_input_tokens: 100, cache_creation_input_tokens: 20 };
    const last = { output_tokens: 7, output_tokens_details: { thinking_tokens: 4 } };
    assert.deepEqual(await usageOf({ input_tokens: 3, output_tokens: 1, ...cache }, last), {
      ...{ inputTokens: 123, cachedTokens: 100, cacheWriteTokens: 20 },
      ...{ outputTokens: 7, reasoningTokens: 4, totalTokens: 130, estimated: false },
    });
  });

  it("takes the later count, but not the zeros or the nothing of a gateway (Q58)", async () => {
    const first = { input_tokens: 12, output_tokens: 1 };
    const totals = [
      [{ input_tokens: 61, output_tokens: 2 }, 63],
      [{ input_tokens: 0, output_tokens: 9 }, 21],
      [{ input_tokens: null, output_tokens: 9 }, 21],
      [{ output_tokens: 9 }, 21],
      [{}, 13],
    ] as const;
    for (const [last, total] of totals) assert.equal((await usageOf(first, last))?.totalTokens, total);
    assert.equal(await usageOf({}, {}), undefined);
  });

  it("names the model that answered in the end", async () => {
    const iterations = [
      { type: "message", model: "a" },
      { type: "fallback_message", model: "b" },
    ];
    const end = reason("end_turn", {}, { output_tokens: 3, iterations });
    assert.equal((await hearEvents([...whole, end, stop])).end?.model, "b");
  });
});

describe("faults inside a stream of the Messages API", () => {
  const faults = [
    ["overloaded_error", "upstream_overloaded", true],
    ["api_error", "upstream_error", true],
    ["rate_limit_error", "rate_limited", true],
    ["timeout_error", "upstream_error", true],
    ["invalid_request_error", "upstream_invalid_request", false],
    ["billing_error", "quota_exceeded", false],
  ] as const;
  for (const [type, code, isSafe] of faults)
    it(`${type} is ${code}, also if the connection then ends (Q17)`, async () => {
      assert.deepEqual(await codeOf(streamScript([begin() + failure(type)])), [code, isSafe, ""]);
      const later = streamScript([...whole.slice(0, 3), failure(type)]);
      assert.deepEqual(await codeOf(later), [code, isSafe, "Yes."]);
    });

  it("are also the errors of gateways in other forms", async () => {
    const bare = `data: ${JSON.stringify({ error: { message: "The server is overloaded" } })}\n\n`;
    assert.deepEqual(await codeOf(streamScript([begin() + bare])), ["upstream_overloaded", true, ""]);
    assert.deepEqual(await codeOf(streamScript(["event: error\ndata: gone\n\n"])), [
      "upstream_error",
      true,
      "",
    ]);
    assert.deepEqual(await codeOf(streamScript(["data: {]\n\n"])), ["upstream_invalid", false, ""]);
  });

  it("a refusal has no text, and its explanation in the response", async () => {
    const details = { stop_details: { type: "refusal", category: "cyber", explanation: "It was blocked." } };
    const { end, text: said } = await hearEvents([begin(), ping, reason("refusal", details), stop]);
    assert.deepEqual([said, end?.finishReason], ["", "content_filter"]);
    assert.deepEqual(end?.response?.incomplete_details, { reason: "content_filter" });
    assert.equal(JSON.stringify(end?.response?.output).includes('"refusal":"It was blocked."'), true);
  });

  it("an answer of nothing is empty, and may be repeated", async () => {
    assert.deepEqual(await codeOf(streamScript([begin(), reason("end_turn"), stop])), [
      "upstream_empty",
      true,
      "",
    ]);
    assert.deepEqual(await codeOf(streamScript([ping])), ["upstream_empty", false, ""]);
  });
});
