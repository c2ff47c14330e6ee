import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chatParams } from "../../../src/adapters/chat-completions/chat-params.ts";
import { chatDialectOf } from "../../../src/adapters/chat-completions/dialects.ts";
import { textMessage } from "../../../src/ports/item.ts";
import type { ProviderRequest } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import type { Script } from "../../doubles/script.ts";
import { plainResponse, streamHead, streamScript } from "../../doubles/stream-script.ts";
import { hear } from "../../ports/hear.ts";
import { chunk, counts, createChatSetup, done, finish, frame, question, text } from "./chat-setup.ts";

async function hearScript(script: Script, changes: Partial<ProviderRequest> = {}) {
  await using under = await createChatSetup();
  under.double.respond(script);
  return await hear(under, changes);
}

const hearEvents = (...events: readonly string[]) =>
  hearScript(streamScript(events), { includeReasoning: true });

/** The error of a call, and the text that came before it. */
async function failureOf(script: Script): Promise<{ error: TroupeError; said: string }> {
  const { thrown, text: said, end } = await hearScript(script);
  assert.ok(thrown instanceof TroupeError);
  assert.equal(end, undefined);
  return { error: thrown, said };
}

async function codeOf(...events: readonly string[]): Promise<string[]> {
  const { error, said } = await failureOf(streamScript(events));
  return [error.code, said];
}

const usage = { inputTokens: 12, outputTokens: 3, totalTokens: 15, estimated: false };

describe("signs of life of OpenRouter and its gateways", () => {
  for (const [name, sign] of [
    ["as comments", ": OPENROUTER PROCESSING\n\n"],
    ["as data", "data: : OPENROUTER PROCESSING\n\n"],
  ] as const)
    it(`${name} are no events, and no progress`, async () => {
      await using under = await createChatSetup();
      under.double.respond(streamScript([sign, text("A"), sign, finish("stop"), sign, done]));
      const whole = await hear(under);
      assert.deepEqual([whole.text, whole.thrown, whole.end?.finishReason], ["A", undefined, "stop"]);

      under.double.respond([streamHead(), { write: sign.repeat(3) }, { hang: true }]);
      const silent = hear(under);
      await under.double.received(2);
      while (under.clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve));
      await under.clock.advance(60_001);
      const { thrown } = await silent;
      assert.ok(thrown instanceof TroupeError && thrown.code === "upstream_timeout");
    });
});

describe("failures that servers report inside a stream", () => {
  it("with a status as code, beside a choice that finishes or without any (OpenRouter)", async () => {
    const metadata = { provider_name: "Rain" };
    const rows = [
      [429, "rate_limited"],
      [502, "upstream_error"],
      [503, "upstream_overloaded"],
    ] as const;
    for (const [code, expected] of rows) {
      const error = { code, message: "It broke.", metadata };
      const finished = chunk({ content: "" }, { finish_reason: "error" }, { error });
      for (const last of [finished, frame({ id: "c-1", choices: [], error })]) {
        assert.deepEqual(await codeOf(text("A"), last), [expected, "A"]);
        assert.deepEqual(await codeOf(last), [expected, ""]);
      }
    }
  });

  it("in an object with or without a type, although the stream just ends then", async () => {
    const message = "The server is overloaded.";
    for (const error of [{ message }, { message, type: "overloaded_error" }])
      for (const before of [[], [text("A")]])
        assert.deepEqual(await codeOf(...before, frame({ error })), [
          "upstream_overloaded",
          before.length === 0 ? "" : "A",
        ]);
  });

  it("for a request that was not valid, under the status of success (llama.cpp)", async () => {
    const error = { code: 400, message: "Failed to parse messages", type: "invalid_request_error" };
    const failed = await failureOf(streamScript([frame({ error })]));
    assert.deepEqual([failed.error.code, failed.error.safeToRepeat], ["upstream_invalid_request", false]);
  });

  it("by an empty chunk and nothing more (Ollama)", async () => {
    assert.deepEqual(await codeOf(text("A"), text("")), ["upstream_truncated", "A"]);
  });
});

describe("refusals in a server's own form", () => {
  it("for a prompt that is larger than the context, with either status (llama.cpp)", async () => {
    for (const status of [400, 500]) {
      const message = "The sizes do not fit.";
      const counted = { n_prompt_tokens: 9_000, n_ctx: 4_096 };
      const error = { code: status, message, type: "exceed_context_size_error", ...counted };
      const refused = await failureOf(plainResponse(status, { error }));
      assert.equal(refused.error.code, "context_length_exceeded");
    }
  });

  it("in a list (Gemini's compatible endpoint)", async () => {
    const rows = [
      [400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "upstream_auth"],
      [429, "RESOURCE_EXHAUSTED", "Too much.", "rate_limited"],
      [503, "UNAVAILABLE", "Overloaded.", "upstream_overloaded"],
    ] as const;
    for (const [code, status, message, expected] of rows) {
      const refused = await failureOf(plainResponse(code, [{ error: { code, status, message } }]));
      assert.equal(refused.error.code, expected);
    }
  });

  it("name the form of the answer that cannot be streamed (Groq)", async () => {
    const message = "`response_format` does not support streaming";
    const refused = await failureOf(
      plainResponse(400, { error: { message, type: "invalid_request_error" } }),
    );
    assert.deepEqual(
      [refused.error.code, refused.error.detail],
      ["upstream_invalid_request", "Parameter: response_format."],
    );
  });

  it("name the effort whose word another model uses (Groq)", async () => {
    const message = "`reasoning_effort` must be one of `none` or `default`";
    const refused = await failureOf(
      plainResponse(400, { error: { message, type: "invalid_request_error", param: "reasoning_effort" } }),
    );
    assert.deepEqual(
      [refused.error.code, refused.error.detail],
      ["upstream_invalid_request", "Parameter: reasoning_effort."],
    );
  });

  it("leave out effort and stop texts, for models that take none", async () => {
    for (const name of ["reasoning_effort", "stop"]) {
      await using under = await createChatSetup();
      const message = `Argument not supported on this model: ${name}`;
      under.double.respond(({ body }) =>
        JSON.stringify(body).includes(`"${name}"`)
          ? plainResponse(400, { error: { message } })
          : streamScript([text("Yes."), finish("stop"), done]),
      );
      const heard = await hear(under, { options: { stop: ["No"], reasoning: { effort: "low" } } });
      assert.deepEqual([heard.text, heard.thrown, under.double.calls], ["Yes.", undefined, 2]);
    }
  });
});

describe("usage and calls of single servers", () => {
  it("usage in Groq's object and again in a last chunk counts once", async () => {
    const finished = chunk({}, { finish_reason: "stop" }, { x_groq: { id: "r", usage: counts } });
    const { end } = await hearEvents(text("A"), finished, frame({ choices: [], usage: counts }), done);
    assert.deepEqual(end?.usage, usage);
  });

  it("usage may share its chunk with the last text and the finish reason", async () => {
    const last = chunk({ content: "B" }, { finish_reason: "stop" }, { usage: counts });
    const { text: said, end } = await hearEvents(text("A"), last, done);
    assert.deepEqual([said, end?.finishReason, end?.usage], ["AB", "stop", usage]);
  });

  it("calls without an index come signed by Google, and go back to their model with the signature", async () => {
    await using under = await createChatSetup();
    const extra_content = { google: { thought_signature: "sig" } };
    const call = (id: string) => ({ type: "function", id, function: { name: "rain", arguments: "{}" } });
    const called = chunk({ tool_calls: [{ ...call("a"), extra_content }, call("b")] });
    under.double.respond(streamScript([called, finish("stop"), done]));
    const { end } = await hear(under);
    assert.equal(end?.finishReason, "tool_calls");

    const input = [...question.input, ...(end.items ?? [])];
    await hear(under, { input });
    await hear(under, { input, model: "another" });
    const sent = under.double.requests.map(({ body }) => Object(body).messages?.[1]);
    const before = { role: "assistant", content: null };
    assert.deepEqual(sent, [
      undefined,
      { ...before, tool_calls: [{ ...call("a"), extra_content }, call("b")] },
      { ...before, tool_calls: [call("a"), call("b")] },
    ]);
  });

  it("reasoning in parts goes on over empty deltas, and does not come back to Mistral", async () => {
    const think = (words: string) =>
      chunk({ content: [{ type: "thinking", thinking: [{ type: "text", text: words }] }] });
    const heard = await hearEvents(
      ...[think("Hm"), text(""), chunk({}), think(", so."), text("Yes."), finish("stop"), done],
    );
    assert.deepEqual([heard.reasoning, heard.text], ["Hm, so.", "Yes."]);
    const thought = { type: "reasoning", text: "Hm" } as const;
    const input = [textMessage("user", "Well?"), thought, thought, textMessage("assistant", "Yes.")];
    const { messages } = chatParams({ ...question, input }, chatDialectOf("https://api.mistral.ai/v1"));
    assert.deepEqual(messages, [
      { role: "user", content: "Well?" },
      { role: "assistant", content: "Yes." },
    ]);
  });
});

describe("requests that no server has a reason to refuse", () => {
  const hosts = [
    "https://api.openai.com/v1",
    "https://api.groq.com/openai/v1",
    "https://api.mistral.ai/v1",
    "https://api.deepseek.com",
    "https://bedrock-mantle.us-east-1.api.aws/openai/v1",
    "http://127.0.0.1:8000/v1",
  ];
  const two = [
    { type: "text", text: "One" },
    { type: "text", text: "Two" },
  ] as const;
  for (const host of hosts)
    it(`have plain texts in usual roles, and no other field: ${host}`, () => {
      const thought = { type: "reasoning", text: "Hm." } as const;
      const input = [
        textMessage("system", "Be brief."),
        { type: "message", role: "user", parts: two } as const,
        ...[thought, textMessage("assistant", "Yes."), textMessage("user", "Why?")],
      ];
      const sent = chatParams({ ...question, input, instructions: "Be kind." }, chatDialectOf(host));
      assert.deepEqual(
        sent.messages.map(({ role }) => role),
        ["system", "user", "assistant", "user"],
      );
      for (const message of sent.messages) {
        assert.deepEqual(Object.keys(message).sort(), ["content", "role"]);
        assert.equal(typeof message.content, "string");
      }
    });

  it("mark nothing for a cache at Bedrock", () => {
    const sent = chatParams({ ...question, cacheKey: "key" }, chatDialectOf(hosts[4] ?? ""));
    assert.equal(/cache/i.test(JSON.stringify(sent)), false);
  });

  it("have no `strict` without a value, because LM Studio takes only true and false", () => {
    const tool = { type: "function", name: "rain", parameters: { type: "object" } };
    const strictOf = (strict: boolean | null) =>
      chatParams({ ...question, tools: [{ ...tool, strict }] }, chatDialectOf("http://127.0.0.1:1234/v1"))
        .tools;
    const { type: _, ...described } = tool;
    assert.deepEqual(strictOf(null), [{ type: "function", function: described }]);
    assert.deepEqual(strictOf(false), [{ type: "function", function: { ...described, strict: false } }]);
  });

  it("have no penalties: a client that asks for one is refused by its field", () => {
    for (const name of ["presence_penalty", "frequency_penalty"])
      assert.throws(
        () => chatParams({ ...question, options: { [name]: 1 } }, chatDialectOf("https://api.x.ai/v1")),
        (error) =>
          error instanceof TroupeError &&
          error.code === "upstream_invalid_request" &&
          error.field === `options.${name}`,
      );
  });
});
