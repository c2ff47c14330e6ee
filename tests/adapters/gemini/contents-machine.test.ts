import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { splitEvery } from "../../doubles/script.ts";
import { plainResponse, streamScript } from "../../doubles/stream-script.ts";
import { type Heard, hear } from "../../ports/hear.ts";
import {
  chunk,
  counts,
  createGeminiSetup,
  finish,
  frame,
  hearEvents,
  text,
  thought,
} from "./gemini-setup.ts";

const usage = { inputTokens: 12, outputTokens: 3, totalTokens: 15, estimated: false };

/** Reads the same answer whole and in pieces; both must be alike. */
async function hearStream(...events: readonly string[]): Promise<Heard> {
  await using under = await createGeminiSetup();
  const body = events.join("");
  under.double.respond(streamScript([body]));
  const whole = await hear(under, { includeReasoning: true });
  under.double.respond(streamScript(splitEvery(body, 7)));
  const cut = await hear(under, { includeReasoning: true });
  assert.deepEqual([cut.text, cut.reasoning, cut.end], [whole.text, whole.reasoning, whole.end]);
  return whole;
}

function codeOf({ thrown }: Heard): string | undefined {
  return thrown instanceof TroupeError ? thrown.code : undefined;
}

describe("the texts of Gemini", () => {
  it("reads thoughts as reasoning, before the answer and in it", async () => {
    const heard = await hearStream(
      ...[
        thought("Let"),
        thought(" me"),
        text("No"),
        text(","),
        thought(" so"),
        text(" not."),
        finish("STOP"),
      ],
    );
    assert.deepEqual([heard.reasoning, heard.text], ["Let me so", "No, not."]);
    const [reasoning] = [heard.end?.response?.output].flat();
    assert.deepEqual(reasoning, {
      type: "reasoning",
      summary: [{ type: "summary_text", text: "Let me so" }],
    });
  });

  it("does not show reasoning unasked", async () => {
    const { events, end } = await hearEvents([thought("a"), thought("b"), text("No"), finish("STOP")]);
    assert.deepEqual(
      events.map(({ type }) => type),
      ["started", "text", "end"],
    );
    assert.equal(JSON.stringify(end).includes("summary_text"), false);
  });

  it("reads several parts of one chunk, in order", async () => {
    const parts = [{ text: "Hm.", thought: true }, { text: "A" }, { text: "" }, { text: "B" }];
    const heard = await hearStream(chunk(parts), text("C"), finish("STOP"));
    assert.deepEqual([heard.reasoning, heard.text], ["Hm.", "ABC"]);
  });

  it("ignores chunks without a candidate, without parts, of other candidates, and unknown parts", async () => {
    const other = frame({ candidates: [{ index: 1, content: { parts: [{ text: "other" }] } }] });
    const heard = await hearStream(
      ...[frame({ usageMetadata: { trafficType: "ON_DEMAND" } }), frame({ candidates: [] })],
      ...[frame({ candidates: [{ content: { role: "model" } }] }), frame({ candidates: [{}] })],
      ...[text("A"), other, chunk([{ speechMetadata: {} }]), text("B"), finish("STOP")],
    );
    assert.deepEqual([heard.text, heard.end?.model], ["AB", "gemini-3-pro"]);
    assert.equal(heard.events.filter(({ type }) => type === "started").length, 1);
  });

  it("takes no signature for a mark of reasoning", async () => {
    const signed = chunk([{ text: "A", thoughtSignature: "s" }]);
    const heard = await hearStream(signed, text("B"), text("C"), finish("STOP"));
    assert.deepEqual([heard.reasoning, heard.text], ["", "ABC"]);
  });
});

describe("the end of a Gemini answer", () => {
  const reasons = [
    ["STOP", "stop"],
    ["MAX_TOKENS", "length"],
    ["SAFETY", "content_filter"],
    ["RECITATION", "content_filter"],
    ["LANGUAGE", "content_filter"],
    ["BLOCKLIST", "content_filter"],
    ["PROHIBITED_CONTENT", "content_filter"],
    ["SPII", "content_filter"],
    ["MODEL_ARMOR", "content_filter"],
    ["IMAGE_SAFETY", "content_filter"],
    ["A_WORD_OF_TOMORROW", "stop"],
  ] as const;
  for (const [told, reason] of reasons)
    it(`is ${reason} for ${told}`, async () => {
      const { end } = await hearStream(text("A"), finish(told));
      assert.equal(end?.finishReason, reason);
      const status = reason === "stop" ? "completed" : "incomplete";
      assert.deepEqual([end.usage, end.response?.status], [usage, status]);
    });

  const failures = [
    ...["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"],
    ...["MISSING_THOUGHT_SIGNATURE", "OTHER"],
  ];
  for (const told of failures)
    it(`is a failure that may pass for ${told}, without content`, async () => {
      const failed = frame({ candidates: [{ finishReason: told, index: 0 }], usageMetadata: counts });
      const { thrown } = await hearStream(failed);
      assert.ok(thrown instanceof TroupeError);
      assert.deepEqual([thrown.code, thrown.safeToRepeat], ["upstream_error", true]);
      assert.ok(String(thrown.cause).includes(told));
    });

  it("is the end of the body after a finish reason, in a chunk with or without parts", async () => {
    const bare = frame({ candidates: [{ finishReason: "STOP" }], usageMetadata: counts });
    for (const last of [finish("STOP"), bare]) {
      const heard = await hearStream(text("A"), last);
      assert.deepEqual([heard.text, heard.end?.finishReason, heard.end?.usage], ["A", "stop", usage]);
    }
  });

  it("comes only with the end of the body: text and usage may follow the reason", async () => {
    const early = chunk([], { finishReason: "STOP" }, { usageMetadata: {} });
    const last = frame({ usageMetadata: { ...counts, candidatesTokenCount: 8 } });
    const heard = await hearStream(early, text("A"), text("B"), last);
    assert.deepEqual([heard.text, heard.end?.usage?.outputTokens], ["AB", 8]);
  });

  it("is no end without a finish reason", async () => {
    assert.equal(codeOf(await hearStream(text("A"))), "upstream_truncated");
    const unspecified = chunk([], { finishReason: "FINISH_REASON_UNSPECIFIED" });
    assert.equal(codeOf(await hearStream(text("A"), unspecified)), "upstream_truncated");
    assert.equal(codeOf(await hearStream(text("A"), "data: [DONE]\n\n")), "upstream_truncated");
  });

  it("may have a [DONE] of a gateway, after which nothing is read", async () => {
    const heard = await hearStream(text("A"), finish("STOP"), "data: [DONE]\n\n", text("late"));
    assert.deepEqual([heard.text, heard.end?.finishReason], ["A", "stop"]);
  });

  it("is an empty answer, worth repeating, if it stops with nothing at all", async () => {
    for (const last of [finish("STOP"), chunk([], { finishReason: "STOP" })]) {
      const { thrown } = await hearStream(last);
      assert.ok(thrown instanceof TroupeError);
      assert.deepEqual([thrown.code, thrown.safeToRepeat], ["upstream_empty", true]);
    }
    const cut = await hearStream(finish("MAX_TOKENS"));
    assert.equal(cut.end?.finishReason, "length");
  });

  it("is filtered for a prompt that is blocked, without a candidate", async () => {
    const blocked = { promptFeedback: { blockReason: "PROHIBITED_CONTENT" }, responseId: "r-2" };
    const usageMetadata = { promptTokenCount: 9, totalTokenCount: 9 };
    const heard = await hearStream(frame({ ...blocked, usageMetadata }));
    assert.deepEqual([heard.text, heard.end?.finishReason], ["", "content_filter"]);
    assert.equal(heard.end?.usage?.inputTokens, 9);
    assert.deepEqual(heard.end?.response?.incomplete_details, { reason: "content_filter" });
  });

  it("has its response in the shape of the Responses API", async () => {
    const around = { createTime: "2026-05-04T20:01:02.264968Z" };
    const { end, events } = await hearStream(chunk([{ text: "A" }], {}, around), finish("STOP"));
    const [first] = events;
    assert.equal(first?.type === "started" && first.response?.status, "in_progress");
    const { response = {} } = end ?? {};
    assert.deepEqual(
      [response.id, response.created_at, response.model, response.store],
      ["resp_r-1", 1_777_924_862, "gemini-3-pro", false],
    );
    assert.deepEqual(response.usage, { input_tokens: 12, output_tokens: 3, total_tokens: 15 });
    assert.deepEqual(response.output, [
      {
        ...{ type: "message", role: "assistant", status: "completed" },
        content: [{ type: "output_text", text: "A", annotations: [] }],
      },
    ]);
  });
});

describe("the usage of Gemini", () => {
  const tell = (usageMetadata: object) => chunk([{ text: "" }], { finishReason: "STOP" }, { usageMetadata });
  const rows: readonly (readonly [object, object | undefined])[] = [
    [
      { ...counts, toolUsePromptTokenCount: 5, thoughtsTokenCount: 7, cachedContentTokenCount: 10 },
      {
        ...{ inputTokens: 17, cachedTokens: 10, outputTokens: 10, reasoningTokens: 7, totalTokens: 27 },
        estimated: false,
      },
    ],
    [
      { promptTokenCount: 9, totalTokenCount: 20 },
      { ...usage, inputTokens: 9, outputTokens: 11, totalTokens: 20 },
    ],
    [{ promptTokenCount: 9 }, undefined],
    [{ candidatesTokenCount: 9 }, undefined],
    [{ promptTokenCount: "9", candidatesTokenCount: -1 }, undefined],
    [{}, undefined],
  ];
  for (const [told, expected] of rows)
    it(`is read from ${JSON.stringify(told)}`, async () => {
      const plain = chunk([{ text: "A" }], {}, { usageMetadata: { trafficType: "ON_DEMAND" } });
      assert.deepEqual((await hearStream(plain, tell(told))).end?.usage, expected);
    });

  it("is the last figure of each kind, and unknown if text came after it", async () => {
    const plain = (words: string, candidatesTokenCount: number) =>
      chunk([{ text: words }], {}, { usageMetadata: { ...counts, candidatesTokenCount } });
    const bare = frame({ candidates: [{ finishReason: "STOP" }] });
    const counted = await hearStream(plain("A", 1), plain("B", 2), plain("C", 3), finish("STOP"));
    assert.equal(counted.end?.usage?.outputTokens, 3);
    const { end, text: said } = await hearEvents([plain("A", 1) + plain("B", 2) + plain("C", 3) + bare]);
    assert.deepEqual([said, end?.usage], ["ABC", undefined]);
  });
});

describe("a body of Gemini that is no stream", () => {
  const answer = { candidates: [{ content: { parts: [{ text: "Yes." }] }, finishReason: "STOP" }] };

  async function hearBody(body: object): Promise<Heard> {
    await using under = await createGeminiSetup();
    under.double.respond(plainResponse(200, body));
    return await hear(under);
  }

  it("is a list of chunks, or one answer with or without a reason", async () => {
    const open = { candidates: [{ content: { parts: [{ text: "Well. " }] } }] };
    assert.equal((await hearBody([open, answer])).text, "Well. Yes.");
    assert.equal((await hearBody(answer)).end?.finishReason, "stop");
    assert.equal((await hearBody(open)).end?.finishReason, "stop");
    assert.equal(codeOf(await hearBody([open])), "upstream_truncated");
  });

  it("may be an error, also in a list", async () => {
    const error = { code: 503, message: "The model is overloaded.", status: "UNAVAILABLE" };
    for (const body of [{ error }, [{ error }], [answer, { error }]])
      assert.equal(codeOf(await hearBody(body)), "upstream_overloaded");
  });

  it("is neither if it has no candidates", async () => {
    for (const body of [{}, [], [{}], { models: [] }])
      assert.equal(codeOf(await hearBody(body)), "upstream_invalid");
  });
});
