import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, it } from "node:test";
import { answer } from "../doubles/answer.ts";
import type { Script } from "../doubles/script.ts";
import { httpError, plainResponse, streamHead, streamScript } from "../doubles/stream-script.ts";
import { ask, endsOf, startBudgetStage } from "./budget-stage.ts";

/** 5,000 tokens, by the rule of four bytes per token. */
const input_text = "word ".repeat(4_000);
const inputTokens = 5_000;
/** So small that the remaining budget is sent to the provider. */
const cap = 20_000;

const error = (code: string | null) => ({ message: "No.", type: "error", code });
const [created = "", ...rest] = answer({ text: "Never." });
/** A failure, the number of calls it causes, and how many of these calls the provider may have read. */
const failures: readonly (readonly [string, Script, number, number])[] = [
  ["reset before the head", [{ reset: true }], 3, 3],
  ["closed before the head", [{ fin: true }], 3, 3],
  ["reset after the head", [streamHead(), { reset: true }], 1, 1],
  ["closed after the first event", [streamHead(), { write: created }, { fin: true }], 1, 1],
  ["a page in the place of a stream", plainResponse(200, "Hello."), 1, 1],
  [
    "an error event at once",
    streamScript([`data: ${JSON.stringify({ type: "error", code: "server_error" })}\n\n`]),
    3,
    3,
  ],
  [
    "a rate limit as an event at once",
    streamScript([`data: ${JSON.stringify({ type: "error", code: "rate_limit_exceeded" })}\n\n`]),
    3,
    0,
  ],
  [
    "a rate limit after the first event",
    streamScript([created, `data: ${JSON.stringify({ type: "error", code: "rate_limit_exceeded" })}\n\n`]),
    3,
    3,
  ],
  // It may mean that the server has only Chat Completions, which are asked as well.
  ["404", httpError(404, error(null)), 2, 0],
  ...[400, 401, 403, 413, 415, 422].map(
    (status) => [String(status), httpError(status, error(null)), 1, 0] as const,
  ),
  ["429", httpError(429, error(null)), 3, 0],
  ["302", plainResponse(302, "", { location: "http://127.0.0.1:9/" }), 1, 0],
  ...[408, 409, 500, 502, 503, 504].map(
    (status) => [String(status), httpError(status, error(null)), 3, 3] as const,
  ),
  ["503 by overload", httpError(503, error("server_is_overloaded")), 3, 0],
  ["another protocol", [{ writeRaw: "HTTP/1.1 101 Switching Protocols\r\n\r\n" }, { hang: true }], 1, 1],
];

describe("a failed call costs its input for each attempt that may have been read", () => {
  for (const [name, script, attempts, read] of failures)
    it(`${name}: ${read} of ${attempts}`, async () => {
      await using stage = await startBudgetStage({ serverTokensPerDay: cap });
      const client = await stage.server.connect();
      stage.upstream.respond(script);
      client.send(ask("failed", { input_text }));
      const [end] = await endsOf(client, ["failed"]);
      assert.equal(end?.type, "error");
      assert.equal(stage.upstream.requests.length, attempts);
      const [row, ...others] = await stage.rows();
      assert.deepEqual(
        [row?.outcome, row?.input_tokens, row?.output_tokens, row?.estimated, others.length],
        ["failed", read * inputTokens, 0, 1, 0],
      );
      stage.upstream.respond(streamScript([created, ...rest]));
      client.send(ask("next"));
      await endsOf(client, ["next"]);
      const body = stage.upstream.requests.at(-1)?.body as { max_output_tokens?: number } | undefined;
      assert.equal(body?.max_output_tokens ?? cap - 1, cap - read * inputTokens - 1);
    });

  it("nothing if there was no connection", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    await new Promise((resolve) => server.close(resolve));
    const port = typeof address === "object" ? address?.port : undefined;
    await using stage = await startBudgetStage({ openaiBaseUrl: `http://127.0.0.1:${port}/v1` });
    const client = await stage.server.connect();
    client.send(ask("failed", { input_text }));
    const [end] = await endsOf(client, ["failed"]);
    assert.ok(end?.type === "error" && end.code === "upstream_unreachable");
    assert.deepEqual(
      (await stage.rows()).map((row) => row.total_tokens),
      [0],
    );
  });

  it("and the next attempt is not made if no budget covers it", async () => {
    await using stage = await startBudgetStage({ serverTokensPerDay: 12_000 });
    const client = await stage.server.connect();
    stage.upstream.respond([{ reset: true }]);
    client.send(ask("failed", { input_text }));
    const [end] = await endsOf(client, ["failed"]);
    assert.ok(end?.type === "error" && end.code === "budget_exhausted");
    assert.equal(stage.upstream.requests.length, 2);
    assert.deepEqual(
      (await stage.rows()).map((row) => row.total_tokens),
      [2 * inputTokens],
    );
    client.send(ask("next"));
    const [next] = await endsOf(client, ["next"]);
    assert.notEqual(next?.type === "error" && next.code, "day_budget_spent");
  });
});
