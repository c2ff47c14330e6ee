import assert from "node:assert/strict";
import { test } from "node:test";
import { startScriptedServer } from "../client/scripted-server.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { textOf } from "../support/wire-client.ts";
import { framesOf, runClient, withPython } from "./python/python-client.ts";

const script = streamScript(answer({ deltas: ["Whole ", "answer."] }));

test("the Python client runs a request again that failed for now, under its id", withPython, async () => {
  await using upstream = await createUpstreamDouble();
  upstream.respond((_, call) => (call < 2 ? [...script.slice(0, 5), { reset: true }] : script));
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const ask = ["chat", "Hi", "--raw", "--id", "r", "--persona", "teacher"];
  const once = await runClient(server.url, ...ask);
  assert.equal(once.code, 1, once.stderr);
  assert.equal(framesOf(once).at(-1)?.type, "error");
  assert.equal(upstream.requests.length, 1);

  const again = await runClient(server.url, ...ask, "--retries", "3");
  assert.equal(again.code, 0, again.stderr);
  const frames = framesOf(again);
  assert.equal(frames.at(-1)?.type, "response");
  assert.equal(upstream.requests.length, 3);
  // The stored error comes first, then each attempt from its reset on, in one sequence of numbers.
  assert.deepEqual(
    frames.map((frame) => "seq" in frame && frame.seq),
    frames.map((_, index) => index + 1),
  );
  const last = frames.findLastIndex(({ type }) => type === "reset");
  assert.equal(textOf(frames.slice(last)), "Whole answer.");
});

test(
  "the Python client sends a lost retry again, and takes the end once more if nothing runs",
  withPython,
  async () => {
    const error = {
      type: "error",
      status: "error",
      code: "upstream_error",
      message: "No.",
      request_id: "r",
    } as const;
    for (const [retryable, frames] of [
      [true, 3],
      [false, 2],
    ] as const) {
      await using scripted = await startScriptedServer(({ data }, connection) => {
        if (data?.retry === undefined) connection.send({ ...error, retryable: true, seq: 1 });
        else if (retryable && connection.index === 0) connection.drop();
        else connection.send({ ...error, retryable: false, seq: 1 });
      });
      const { code } = await runClient(scripted.url, "openai_chat", "Hi", "--id", "r", "--retries", "5");
      assert.equal(code, 1);
      assert.deepEqual(
        scripted.frames.map(({ type, data }) => [type, data?.retry]),
        Array.from({ length: frames }, (_, index) => ["openai_chat", index === 0 ? undefined : 1]),
      );
    }
  },
);
