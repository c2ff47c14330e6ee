import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { builtinPersonas } from "../../src/adapters/builtin-personas/personas.ts";
import { createDemoProvider } from "../../src/adapters/demo/demo-provider.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { ProviderRequest } from "../../src/ports/provider.ts";
import { describeProvider } from "../ports/provider-contract.ts";
import { answer, ask, batchesOf, createInstantClock } from "./ask-demo.ts";

/** A clock whose waits end only by the signal. */
const frozenClock: Clock = {
  now: () => 0,
  callAfter: () => () => undefined,
  sleep: (_ms, signal) => new Promise((resolve) => signal?.addEventListener("abort", () => resolve())),
  wallTimeMs: () => 0,
  newId: () => "unused",
};

function open(request: ProviderRequest, clock: Clock, signal = new AbortController().signal) {
  return createDemoProvider({ clock }).stream(request, { signal })[Symbol.asyncIterator]();
}

describeProvider("demo", async () => ({
  provider: createDemoProvider({ clock: createInstantClock().clock }),
  request: ask("Why?"),
  [Symbol.asyncDispose]: async () => undefined,
}));

describe("the shape of a demo answer", () => {
  test("starts with started, ends with the only end, and has no empty batch or delta", async () => {
    const batches = await batchesOf(ask("Why?"));
    assert.deepEqual(
      batches[0]?.map(({ type }) => type),
      ["started"],
    );
    const types = batches.flat().map(({ type }) => type);
    assert.equal(types.indexOf("end"), types.length - 1);
    assert.deepEqual([...new Set(types)], ["started", "text", "end"]);
    for (const batch of batches) assert.notEqual(batch.length, 0);
    for (const event of batches.flat()) assert.ok(event.type !== "text" || event.text !== "");
  });

  test("is labelled: a simulated provider, always the model demo, estimated usage", async () => {
    const provider = createDemoProvider({ clock: createInstantClock().clock });
    assert.deepEqual([provider.name, provider.simulated], ["demo", true]);
    const { end, text } = await answer(ask("One two three", { instructions: "Be kind." }));
    assert.equal(end.model, "demo");
    assert.equal(end.finishReason, "stop");
    const outputTokens = text.split(/\s+/u).length;
    assert.deepEqual(end.usage, {
      inputTokens: 5,
      outputTokens,
      totalTokens: 5 + outputTokens,
      estimated: true,
    });
  });

  test("depends on nothing but the request", async () => {
    const request = ask("Why?", { includeReasoning: true, tools: [{ type: "web_search" }], temperature: 2 });
    assert.deepEqual(await batchesOf(request), await batchesOf(structuredClone(request)));
  });
});

describe("the pace", () => {
  test("waits before the first words, then one interval a word", async () => {
    const { clock, sleepsMs } = createInstantClock();
    const provider = createDemoProvider({ clock, firstTokenMs: 400, tokenIntervalMs: 20 });
    const call = { signal: new AbortController().signal };
    const events = (await Array.fromAsync(provider.stream(ask("Why?"), call))).flat();
    const wordCount = events.filter(({ type }) => type === "text").length;
    assert.deepEqual(sleepsMs, [400, ...Array.from({ length: wordCount - 1 }, () => 20)]);
  });

  test("yields in one batch the words that fell due while its reader was busy", async () => {
    const { clock, advance } = createInstantClock();
    const iterator = open(ask("Why?"), clock);
    await iterator.next();
    assert.equal((await iterator.next()).value?.length, 1);
    advance(300);
    assert.equal((await iterator.next()).value?.length, 10);
    assert.equal((await iterator.next()).value?.length, 1);
  });
});

describe("the signal", () => {
  const reason = new Error("the caller has left");

  test("aborted beforehand: throws its reason before anything else", async () => {
    const iterator = open(ask("Why?"), frozenClock, AbortSignal.abort(reason));
    await assert.rejects(iterator.next(), reason);
  });

  test("aborted during a wait: throws its reason although the wait would never end", async () => {
    const controller = new AbortController();
    const iterator = open(ask("Why?"), frozenClock, controller.signal);
    assert.equal((await iterator.next()).value?.[0]?.type, "started");
    const waiting = iterator.next();
    controller.abort(reason);
    await assert.rejects(waiting, reason);
    assert.equal((await iterator.next()).done, true);
  });

  test("aborted between two batches: throws its reason at every place of the answer", async () => {
    const request = ask("Why?", {
      includeReasoning: true,
      tools: [{ type: "web_search" }],
      maxOutputTokens: 3,
    });
    const { length } = await batchesOf(request);
    for (let batchesRead = 1; batchesRead < length; batchesRead += 1) {
      const controller = new AbortController();
      const iterator = open(request, createInstantClock().clock, controller.signal);
      for (let batch = 0; batch < batchesRead; batch += 1) await iterator.next();
      controller.abort(reason);
      await assert.rejects(iterator.next(), reason, `after ${batchesRead} batches`);
    }
  });
});

describe("maxOutputTokens", () => {
  test("cuts after this many words with the reason length", async () => {
    const whole = await answer(ask("Why?"));
    const cut = await answer(ask("Why?", { maxOutputTokens: 7 }));
    assert.equal(cut.end.finishReason, "length");
    assert.equal(cut.end.usage?.outputTokens, 7);
    assert.equal(cut.text.split(" ").length, 7);
    assert.ok(whole.text.startsWith(cut.text));
    assert.equal(cut.end.response?.status, "incomplete");
    assert.deepEqual(cut.end.response?.incomplete_details, { reason: "max_output_tokens" });
  });

  test("is told in the response object", async () => {
    const { end } = await answer(ask("Why?", { maxOutputTokens: 5, options: { max_output_tokens: 5 } }));
    assert.equal(end.response?.max_output_tokens, 5);
  });

  test("that the text just fits into cuts nothing", async () => {
    const whole = await answer(ask("Why?"));
    const maxOutputTokens = whole.end.usage?.outputTokens ?? 0;
    const limited = await answer(ask("Why?", { maxOutputTokens }));
    assert.deepEqual([limited.end.finishReason, limited.text], ["stop", whole.text]);
  });
});

describe("reasoning and tools", () => {
  test("a scripted summary streams before the text when it is asked for", async () => {
    const { events, reasoning } = await answer(ask("Why?", { includeReasoning: true }));
    const types = events.map(({ type }) => type);
    assert.match(reasoning, /^Scripted summary: \S/);
    assert.ok(types.lastIndexOf("reasoning") < types.indexOf("text"));
  });

  test("the first tool is acted out once, labelled simulated, before the text", async () => {
    const cases = [
      [{ type: "web_search" }, "web_search"],
      [{ type: "function", name: "find_flight" }, "find_flight"],
      [{ type: 7 }, "tool"],
    ] as const;
    for (const [tool, name] of cases) {
      const { events, text } = await answer(ask("Why?", { tools: [tool, { type: "code_interpreter" }] }));
      const calls = events.filter((event) => event.type === "tool");
      assert.deepEqual(
        calls.map((call) => [call.tool, call.status, call.payload]),
        [
          [name, "started", { simulated: true }],
          [name, "completed", { simulated: true }],
        ],
      );
      assert.equal(calls[0]?.callId, calls[1]?.callId);
      assert.deepEqual(events.slice(1, 3), calls);
      assert.ok(text.includes(`The use of the tool “${name}” is simulated too`));
    }
  });
});

describe("the response object", () => {
  test("has the shape of the Responses API and the whole text", async () => {
    const options = { metadata: { topic: "moon" }, temperature: 0.5, instructions: "Hidden words." };
    const { end, text } = await answer(ask("Why?", { options, instructions: "Secret notes." }));
    const { response, usage } = end;
    assert.match(String(response?.id), /^resp_demo_[0-9a-f]{32}$/);
    assert.partialDeepStrictEqual(response, {
      object: "response",
      created_at: 1_790_000_000,
      status: "completed",
      model: "demo",
      instructions: null,
      previous_response_id: null,
      metadata: { topic: "moon" },
      temperature: 0.5,
      tools: [],
      usage: { output_tokens: usage?.outputTokens, total_tokens: usage?.totalTokens },
      output: [
        { type: "message", role: "assistant", content: [{ type: "output_text", text, annotations: [] }] },
      ],
    });
    assert.doesNotMatch(JSON.stringify(response), /Secret notes|Hidden words/);
  });

  test("is announced in progress under the id it ends with, which another request does not share", async () => {
    const { events, end } = await answer(ask("Why?"));
    const [started] = events;
    assert.ok(started?.type === "started");
    assert.partialDeepStrictEqual(started.response, {
      id: end.response?.id,
      status: "in_progress",
      output: [],
    });
    assert.notEqual((await answer(ask("Why not?"))).end.response?.id, end.response?.id);
  });

  test("holds the reasoning summary if one was asked for, and is left out for a persona", async () => {
    const { end, reasoning } = await answer(ask("Why?", { includeReasoning: true }));
    const summary = [{ type: "summary_text", text: reasoning }];
    assert.partialDeepStrictEqual(end.response?.output, [
      { type: "reasoning", summary },
      { type: "message" },
    ]);
    for (const { instructions } of builtinPersonas) {
      const { events } = await answer(ask("Why?", { instructions }));
      assert.ok(events.every((event) => !("response" in event)));
    }
  });
});
