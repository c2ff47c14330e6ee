import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { answer } from "../doubles/answer.ts";
import { type CallInput, lastQuestion } from "../doubles/read-call.ts";
import type { Script } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { startPython, withPython } from "./python/python-client.ts";

/** Its author knew PROTOCOL.md and nothing else of this project. */
const program = `${import.meta.dirname}/python/page_scenarios.py`;
const largeText = 'Ein "Zeichen"\n雨 👩‍🚀 '.repeat(3_000_000 / 20);
const words = Array.from({ length: 40 }, (_, index) => `word${index} `);
/** An answer that is still running when a client has cut itself off and returned. */
const slowly: Script = streamScript(answer({ deltas: words }), { betweenEvents: () => [{ delayMs: 50 }] });

function createAnswers() {
  const asked = new Map<string, number>();
  return (question: string): Script => {
    const times = (asked.get(question) ?? 0) + 1;
    asked.set(question, times);
    if (question.startsWith("large"))
      return streamScript(answer({ deltas: largeText.match(/[\s\S]{1,50000}/gu) ?? [] }));
    if (question.startsWith("slow")) return slowly;
    if (question.startsWith("fails once") && times === 1)
      return [...streamScript(answer({ deltas: ["Half ", "an ", "answer"] })).slice(0, 6), { reset: true }];
    return streamScript(answer({ deltas: ["A short ", `answer to: ${question}`] }));
  };
}

async function play(...args: string[]): Promise<unknown> {
  await using upstream = await createUpstreamDouble();
  const answerTo = createAnswers();
  upstream.respond(({ body }) => answerTo(lastQuestion((body as { input: CallInput }).input)));
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const { code, stdout, stderr } = await startPython(program, server.url, ...args).ended;
  assert.equal(code, 0, stderr.slice(-2_000));
  return JSON.parse(stdout);
}

const short = (question: string) => `A short answer to: ${question}`;

describe("a Python client written from PROTOCOL.md alone", withPython, () => {
  for (const [type, ...personas] of [
    ["openai_chat"],
    ["chat", "teacher"],
    ["multi_chat", "teacher", "skeptic"],
  ] as const) {
    it(`asks ${type}`, async () => {
      const { status, texts, error } = (await play("ask", type, "short", ...personas)) as Record<
        string,
        unknown
      >;
      const lanes = personas.length === 0 ? [""] : personas;
      const expected = Object.fromEntries(lanes.map((lane) => [lane, short("short")]));
      assert.deepEqual({ status, texts, error }, { status: "completed", texts: expected, error: null });
    });
  }

  it("reads 3,000,000 characters with the default limit of its library", async () => {
    const played = (await play("large", "large")) as Record<string, number | boolean | string>;
    const { largest_message_bytes: largest, ...rest } = played;
    assert.ok(Number(largest) < 1024 * 1024, `${largest} bytes`);
    assert.deepEqual(rest, {
      chars: [...largeText].length,
      sha256: createHash("sha256").update(largeText).digest("hex"),
      final_equals_stream: true,
    });
  });

  it("is cut off and resumes", async () => {
    assert.deepEqual(await play("cut", "slow"), { text: words.join(""), seqs_in_row: true, connections: 2 });
  });

  it("stops a request", async () => {
    const { text, ...rest } = (await play("cancel", "slow")) as Record<string, unknown>;
    assert.ok(words.join("").startsWith(String(text)) && text !== words.join(""), String(text));
    assert.deepEqual(rest, { status: "cancelled", finish_reason: "cancelled", reply: "cancelling" });
  });

  it("stops one lane, and the other goes on", async () => {
    const { texts, lanes } = (await play("cancel-lane", "slow", "teacher", "skeptic")) as Record<
      string,
      object
    >;
    assert.deepEqual(lanes, { teacher: "cancelled", skeptic: "completed" });
    assert.equal((texts as Record<string, string>).skeptic, words.join(""));
  });

  it("follows from a second device, is away, and misses nothing", async () => {
    const expected = { first: words.join(""), second: short("short"), doubled: false, after_unfollow: 0 };
    assert.deepEqual(await play("follow", "slow", "short"), expected);
  });

  it("retries a request that failed for now", async () => {
    const expected = { attempts: 2, text: short("fails once"), status: "completed", seqs_in_row: true };
    assert.deepEqual(await play("retry", "fails once"), expected);
  });

  it("tells refusals apart, and its socket stays open", async () => {
    const refused = JSON.stringify({ type: "openai_chat", data: { input_text: "x", tools: [{ type: 3 }] } });
    for (const [frame, code, field] of [
      ["{nope", "invalid_json", null],
      [refused, "invalid_message", "data.tools.0.type"],
      ['{"type": "ping"}', null, null],
    ] as const) {
      assert.deepEqual(await play("bad", frame), { code, field, socket_open: true });
    }
  });
});
