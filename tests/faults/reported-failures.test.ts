import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { eventText } from "../doubles/event-text.ts";
import { plainResponse, streamHead, streamScript } from "../doubles/stream-script.ts";
import { textOf } from "../support/wire-client.ts";
import { createFaultBench } from "./fault-bench.ts";

const text = "Here it is, once.";
const good = answer({ text, responseId: "resp_good", reasoning: ["Hm. ", "So."] });
const opening = answer({ text, responseId: "resp_bad" }).slice(0, 2);
/** Pauses pass by themselves. These tests do not cover watchdogs. */
const quick = { instantMs: 20_000, firstByteMs: 100_000, idleMs: 100_000 };

function failureOf(error: object): string {
  return eventText({ type: "error", ...error }, 2);
}

function retriesIn(messages: readonly ServerMessage[]) {
  return messages.flatMap((message) => (message.type === "status" && message.detail ? [message.detail] : []));
}

const passing: readonly [string, object, string][] = [
  ["an overload", { code: "server_is_overloaded", message: "Busy." }, "upstream_overloaded"],
  ["a rate limit", { code: "rate_limit_exceeded", message: "Slower." }, "rate_limited"],
  ["a failure of the server", { code: "server_error", message: "Oops." }, "upstream_error"],
  [
    "another vendor's overload",
    { error: { type: "overloaded_error", message: "Busy." } },
    "upstream_overloaded",
  ],
  ["a status as a code", { error: { code: 429, message: "Slower." } }, "rate_limited"],
];

describe("a failure inside a 200 is retried like one in the status", () => {
  for (const [what, error, code] of passing) {
    it(`${what}, when only the start of the answer came`, async () => {
      await using bench = await createFaultBench(quick);
      bench.double.respond((_request, index) =>
        index < 2 ? streamScript([...opening, failureOf(error)]) : streamScript(good),
      );
      bench.ask();
      const messages = await bench.untilTerminal();
      const end = messages.at(-1);
      assert.ok(end?.type === "response" && end.request_type === "openai_chat");
      assert.equal(end.data.id, "resp_good");
      assert.equal(textOf(messages), text);
      assert.equal(bench.double.requests.length, 3);
      assert.deepEqual(
        retriesIn(messages),
        [500, 1_000].map((delay_ms, index) => ({ retry: index + 1, delay_ms, code })),
      );
    });
  }

  it("at the first event, in the place of the stream, and in an end that failed", async () => {
    const error = { code: "server_is_overloaded", message: "Busy." };
    const failed = { type: "response.completed", response: { status: "failed", error } };
    for (const script of [
      streamScript([failureOf(error)]),
      plainResponse(200, { error }),
      streamScript([...opening, eventText(failed, 2)]),
    ]) {
      await using bench = await createFaultBench(quick);
      bench.double.respond((_request, index) => (index === 0 ? script : streamScript(good)));
      bench.ask();
      const messages = await bench.untilTerminal();
      assert.equal(messages.at(-1)?.type, "response");
      assert.equal(bench.double.requests.length, 2);
    }
  });

  it("after the pause that it asks for, and not if that is too long", async () => {
    const limited = (fields: object) => failureOf({ error: { code: "rate_limit_exceeded", ...fields } });
    await using bench = await createFaultBench(quick);
    bench.double.respond((_request, index) =>
      streamScript(index === 0 ? [...opening, limited({ message: "Please try again in 7.5s." })] : good),
    );
    bench.ask();
    assert.deepEqual(
      retriesIn(await bench.untilTerminal()).map(({ delay_ms }) => delay_ms),
      [7_500],
    );
    await using strict = await createFaultBench(quick);
    strict.double.respond(streamScript([...opening, limited({ retry_after: 21 })]));
    strict.ask();
    const end = (await strict.untilTerminal()).at(-1);
    assert.ok(end?.type === "error");
    assert.deepEqual([end.code, end.retry_after_ms], ["rate_limited", 21_000]);
    assert.equal(strict.double.requests.length, 1);
  });

  it("at most twice, and then its own words are in the log", async () => {
    await using bench = await createFaultBench(quick);
    const error = { code: "server_error", message: "The third moon is late." };
    bench.double.respond(streamScript([...opening, failureOf(error)]));
    bench.ask();
    const end = (await bench.untilTerminal()).at(-1);
    assert.ok(end?.type === "error" && end.code === "upstream_error");
    assert.equal(bench.double.requests.length, 3);
    assert.ok(bench.logged.some((line) => line.includes(error.message)));
    assert.ok(!end.message.includes("moon"));
  });
});

describe("a failure that is told inside a 200 is not repeated", () => {
  const error = failureOf({ code: "server_is_overloaded", message: "Busy." });
  const shown: readonly [string, number][] = [
    ["reasoning", good.findIndex((event) => event.includes("Hm. ")) + 1],
    ["text", good.findIndex((event) => event.includes("Here ")) + 1],
  ];
  for (const [what, count] of shown)
    it(`after ${what} was shown`, async () => {
      await using bench = await createFaultBench(quick);
      bench.double.respond(streamScript([...good.slice(0, count), error]));
      bench.ask({ include_reasoning: true });
      const messages = await bench.untilTerminal();
      const end = messages.at(-1);
      assert.ok(end?.type === "error" && end.code === "upstream_overloaded");
      assert.equal(bench.double.requests.length, 1);
      assert.deepEqual(retriesIn(messages), []);
    });

  it("after a tool call was shown", async () => {
    const tool = { type: "web_search", query: "rain" } as const;
    const withTool = answer({ text, tool });
    const count = withTool.findIndex((event) => event.includes("web_search_call")) + 1;
    await using bench = await createFaultBench(quick);
    bench.double.respond(streamScript([...withTool.slice(0, count), error]));
    bench.ask();
    assert.equal((await bench.untilTerminal()).at(-1)?.type, "error");
    assert.equal(bench.double.requests.length, 1);
  });

  for (const code of ["invalid_prompt", "insufficient_quota", "context_length_exceeded", "unheard_of"])
    it(`if trying again cannot help: ${code}`, async () => {
      await using bench = await createFaultBench(quick);
      bench.double.respond(streamScript([...opening, failureOf({ code, message: "No." })]));
      bench.ask();
      assert.equal((await bench.untilTerminal()).at(-1)?.type, "error");
      assert.equal(bench.double.requests.length, 1);
    });
});

it("a request that is stopped before its second attempt shows nothing of the first", async () => {
  await using bench = await createFaultBench({ ...quick, instantMs: 0 });
  bench.double.respond([
    streamHead(),
    ...opening.map((write) => ({ write })),
    { write: failureOf({ code: "rate_limit_exceeded" }) },
  ]);
  bench.ask();
  await bench.client.next((message) => message.type === "status" && message.detail !== undefined);
  bench.client.send({ type: "cancel", data: { request_id: "asked" } });
  const end = (await bench.untilTerminal()).at(-1);
  assert.ok(end?.type === "response" && end.request_type === "openai_chat" && end.status === "cancelled");
  assert.equal(end.data.id, undefined);
});
