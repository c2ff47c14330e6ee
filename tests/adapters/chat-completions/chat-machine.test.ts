import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { splitEvery } from "../../doubles/script.ts";
import { plainResponse, streamHead, streamScript } from "../../doubles/stream-script.ts";
import { type Heard, hear } from "../../ports/hear.ts";
import { chunk, counts, createChatSetup, done, finish, frame, text, usageChunk } from "./chat-setup.ts";

const head = chunk({ role: "assistant", content: "" });
const usage = { inputTokens: 12, outputTokens: 3, totalTokens: 15, estimated: false };

/** Reads the same answer whole and byte by byte; both must be alike. */
async function hearStream(...events: readonly string[]): Promise<Heard> {
  await using under = await createChatSetup();
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

describe("the texts of Chat Completions", () => {
  const names = ["reasoning_content", "reasoning"];
  for (const name of names)
    it(`reads reasoning as ${name}, before the answer`, async () => {
      const thought = (words: string) => chunk({ [name]: words, content: "" });
      const { reasoning, text: said } = await hearStream(
        ...[head, thought("Let"), thought(" me"), text("No"), text("."), finish("stop"), done],
      );
      assert.deepEqual([reasoning, said], ["Let me", "No."]);
    });

  it("reads reasoning once, although a delta repeats it under other names", async () => {
    const thought = { reasoning: "Hm", reasoning_content: "Hm", reasoning_details: [{ text: "Hm" }] };
    const details = { content: "", reasoning_details: [{ type: "reasoning.text", text: "…" }] };
    const heard = await hearStream(chunk(thought), chunk(details), text("A"), finish("stop"), done);
    assert.equal(heard.reasoning, "Hm…");
  });

  it("reads content in parts, between contents as text", async () => {
    const thinking = { type: "thinking", thinking: [{ type: "text", text: "Hm." }] };
    const heard = await hearStream(
      ...[
        head,
        chunk({ content: [thinking] }),
        text("2"),
        chunk({ content: [{ type: "text", text: " + 2" }] }),
      ],
      ...[text(null), text(""), finish("stop"), done],
    );
    assert.deepEqual([heard.reasoning, heard.text], ["Hm.", "2 + 2"]);
  });

  it("does not show reasoning unasked", async () => {
    await using under = await createChatSetup();
    under.double.respond(
      streamScript([chunk({ reasoning: "a" }), chunk({ reasoning: "b" }), text("No"), finish("stop"), done]),
    );
    const { events, end } = await hear(under);
    assert.deepEqual(
      events.map(({ type }) => type),
      ["started", "text", "end"],
    );
    assert.equal(JSON.stringify(end).includes("reasoning_text"), false);
  });

  it("shows a refusal as text, and ends as filtered", async () => {
    const heard = await hearStream(
      head,
      chunk({ refusal: "I " }),
      chunk({ refusal: "can't." }),
      finish("stop"),
      done,
    );
    assert.deepEqual([heard.text, heard.end?.finishReason], ["I can't.", "content_filter"]);
    assert.deepEqual(heard.end?.response?.output, [
      {
        ...{ type: "message", role: "assistant", status: "completed" },
        content: [{ type: "refusal", refusal: "I can't." }],
      },
    ]);
  });

  it("ignores chunks without a choice, without a delta, and of other choices", async () => {
    const filters = frame({ id: "", model: "", choices: [], prompt_filter_results: [] });
    const other = frame({ choices: [{ index: 1, delta: { content: "other" } }] });
    const heard = await hearStream(
      ...[filters, ": OPENROUTER PROCESSING\n\n", frame({ id: "c-1" }), head, text("A"), other],
      ...[chunk(undefined, { content_filter_offsets: {} }), text("B"), finish("stop"), done],
    );
    assert.deepEqual([heard.text, heard.end?.model], ["AB", "llama3.2:3b"]);
    assert.equal(heard.events.filter(({ type }) => type === "started").length, 1);
  });
});

describe("the end of Chat Completions", () => {
  it("is whole if the connection breaks after the finish reason", async () => {
    await using under = await createChatSetup();
    const events = [head, text("A"), finish("stop")].map((write) => ({ write }));
    under.double.respond([streamHead(), ...events, { reset: true }]);
    const heard = await hear(under);
    assert.deepEqual([heard.text, heard.thrown, heard.end?.finishReason], ["A", undefined, "stop"]);
    assert.equal(heard.end?.usage, undefined);
  });

  const reasons = [
    ["stop", "stop"],
    ["eos", "stop"],
    ["length", "length"],
    ["model_length", "length"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "length"],
    ["content_filter", "content_filter"],
  ] as const;
  for (const [told, finishReason] of reasons)
    it(`reads ${told} as ${finishReason}`, async () => {
      const { end } = await hearStream(head, text("A"), finish(told), done);
      assert.equal(end?.finishReason, finishReason);
      const isWhole = finishReason === "stop";
      assert.equal(end?.response?.status, isWhole ? "completed" : "incomplete");
    });

  it("tells an object in the form of the Responses API", async () => {
    const { events, end } = await hearStream(head, text("A"), finish("stop"), usageChunk, done);
    const [started] = events;
    assert.ok(started?.type === "started" && end?.response !== undefined);
    assert.deepEqual([started.response?.status, started.response?.output], ["in_progress", []]);
    const { id, object, created_at, model, store, output, usage: tokens } = end.response;
    assert.deepEqual([id, object, created_at], ["resp_c-1", "response", 1_700_000_000]);
    assert.deepEqual([model, store], ["llama3.2:3b", false]);
    assert.deepEqual(tokens, { input_tokens: 12, output_tokens: 3, total_tokens: 15 });
    const content = [{ type: "output_text", text: "A", annotations: [] }];
    assert.deepEqual(output, [{ type: "message", role: "assistant", status: "completed", content }]);
  });

  const places: readonly (readonly [string, readonly string[]])[] = [
    ["in a last chunk without choices", [finish("stop"), usageChunk, done]],
    ["in the finish chunk", [chunk({}, { finish_reason: "stop" }, { usage: counts }), done]],
    ["in the choice", [chunk({}, { finish_reason: "stop", usage: counts }), done]],
    [
      "in Groq's object and beside it",
      [chunk({}, { finish_reason: "stop" }, { x_groq: { usage: counts } }), done],
    ],
    ["before an empty last chunk", [finish("stop"), usageChunk, frame({ id: "c-1", choices: [] }), done]],
    ["without [DONE]", [finish("stop"), usageChunk]],
  ];
  for (const [place, events] of places)
    it(`reads the usage ${place}`, async () => {
      const { end, thrown } = await hearStream(head, text("A"), ...events);
      assert.deepEqual([thrown, end?.usage], [undefined, usage]);
    });

  it("counts reasoning that only the total has, and the cached part of the input", async () => {
    const told = { prompt_tokens: 12, completion_tokens: 2, total_tokens: 354, prompt_cache_hit_tokens: 11 };
    const { end } = await hearStream(
      head,
      text("A"),
      finish("stop"),
      frame({ choices: [], usage: told }),
      done,
    );
    assert.deepEqual(end?.usage, { ...usage, outputTokens: 342, totalTokens: 354, cachedTokens: 11 });
  });

  it("ends without usage, if the server tells none or not in numbers", async () => {
    const told = { prompt_tokens: "12", completion_tokens: "3" };
    for (const events of [[finish("stop")], [finish("stop"), frame({ choices: [], usage: told }), done]])
      assert.equal((await hearStream(head, text("A"), ...events)).end?.usage, undefined);
  });

  it("takes an empty finish reason for none", async () => {
    const old = (content: string) => chunk({ content }, { finish_reason: "" });
    const { text: said, thrown } = await hearStream(old("A"), old("B"), finish("stop"), done);
    assert.deepEqual([said, thrown], ["AB", undefined]);
  });

  const broken: readonly (readonly [string, readonly string[], string])[] = [
    ["stops without a finish reason", [head, text("A")], "upstream_truncated"],
    ["says [DONE] without a finish reason", [head, text("A"), done], "upstream_truncated"],
    ["has nothing but [DONE]", [done], "upstream_empty"],
    ["is whole and empty", [head, finish("stop"), done], "upstream_empty"],
    ["finishes with an error", [head, text("A"), finish("error"), done], "upstream_error"],
    ["has no resources", [head, text("A"), finish("insufficient_system_resource")], "upstream_error"],
    [
      "reports a rate limit by its code",
      [head, frame({ error: { code: 429, message: "x" }, choices: [] })],
      "rate_limited",
    ],
    ["reports an error as a text", [frame({ error: "it is overloaded" })], "upstream_overloaded"],
    ["reports an error in a list", [frame([{ error: { code: 503, message: "x" } }])], "upstream_overloaded"],
    [
      "reports Groq's error",
      [head, frame({ x_groq: { error: "over_capacity" }, choices: [] })],
      "upstream_overloaded",
    ],
    ["names the event an error", ["event: error\ndata: it broke\n\n"], "upstream_error"],
    ["says only a message", [frame({ message: "An internal error." })], "upstream_error"],
    ["has half an event", [head, 'data: {"choices":[data: {}\n\n'], "upstream_invalid"],
  ];
  for (const [name, events, code] of broken)
    it(`ends as ${code} if the stream ${name}`, async () => {
      const heard = await hearStream(...events);
      assert.deepEqual([codeOf(heard), heard.end], [code, undefined]);
    });
});

it("ends as too large if it is more than can be held", async () => {
  const half = text("a".repeat(9 * 1024 * 1024));
  await using under = await createChatSetup();
  under.double.respond(streamScript([head, half, half, finish("stop"), done]));
  const heard = await hear(under);
  assert.deepEqual([codeOf(heard), heard.end], ["answer_too_large", undefined]);
});

it("ends as too large in the middle of calls that are more than can be held", async () => {
  const long = "a".repeat(9 * 1024 * 1024);
  const call = (id: string, args: string) =>
    chunk({ tool_calls: [{ id, type: "function", function: { name: "rain", arguments: args } }] });
  for (const calls of [
    [call("1", long), call("1", long)],
    [call(`1${long}`, ""), call(`2${long}`, "")],
    [chunk({ tool_calls: Array.from({ length: 70_000 }, (_, index) => ({ index, function: {} })) })],
  ]) {
    await using under = await createChatSetup();
    under.double.respond([...streamScript([head, ...calls]), { hang: true }]);
    const heard = await hear(under);
    assert.deepEqual([codeOf(heard), heard.end], ["answer_too_large", undefined]);
  }
});

it("ends as usual with a finish reason that no server has", async () => {
  await using under = await createChatSetup();
  under.double.respond(streamScript([head, text("Yes."), finish("constructor"), done]));
  const heard = await hear(under);
  assert.equal(heard.end?.finishReason, "stop");
});

describe("a body that is not a stream", () => {
  const message = { role: "assistant", content: "It rains.", refusal: null, reasoning_content: "Hm." };
  const whole = {
    id: "c-1",
    object: "chat.completion",
    model: "m",
    choices: [{ index: 0, message }],
    usage: counts,
  };

  it("is read if it is a whole answer", async () => {
    await using under = await createChatSetup();
    under.double.respond(plainResponse(200, whole));
    const { text: said, reasoning, end, thrown } = await hear(under, { includeReasoning: true });
    assert.deepEqual([said, reasoning, thrown], ["It rains.", "Hm.", undefined]);
    assert.deepEqual([end?.finishReason, end?.model, end?.usage], ["stop", "m", usage]);
  });

  const others: readonly (readonly [object, string])[] = [
    [{ error: { code: "context_length_exceeded", message: "x" } }, "context_length_exceeded"],
    [[{ error: { code: 429, message: "x" } }], "rate_limited"],
    [{ object: "list", data: [] }, "upstream_invalid"],
  ];
  for (const [body, code] of others)
    it(`ends as ${code}: ${JSON.stringify(body)}`, async () => {
      await using under = await createChatSetup();
      under.double.respond(plainResponse(200, body));
      assert.equal(codeOf(await hear(under)), code);
    });
});
