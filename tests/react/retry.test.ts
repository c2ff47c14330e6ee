import assert from "node:assert/strict";
import { test } from "node:test";
import { createRequestStore } from "../../src/react/request-store.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";

const script = streamScript(answer({ deltas: ["Whole ", "answer."] }));

test("a component runs a failed request again, which starts empty; any other stays as it is", async () => {
  await using upstream = await createUpstreamDouble();
  upstream.respond((_, call) => (call === 0 ? [...script.slice(0, 6), { reset: true }] : script));
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const store = createRequestStore();
  const close = store.open({ url: server.url });
  const changes: string[] = [];
  const ended = (status: string) =>
    new Promise<void>((resolve) => {
      const stop = store.subscribe(() => {
        const [shown] = store.snapshot().requests;
        if (shown !== undefined)
          changes.push(`${shown.transcript.status} ${shown.transcript.lanes[0]?.text}`);
        if (shown?.transcript.status !== status) return;
        stop();
        // The request reports its failure together with its last message.
        setImmediate(resolve);
      });
    });
  const failed = ended("failed");
  const id = store.send("chat", { message: "Hi", persona_id: "teacher" });
  store.retry(id);
  await failed;
  const [before] = store.snapshot().requests;
  assert.deepEqual(
    [before?.transcript.lanes[0]?.text, before?.transcript.error?.retryable],
    ["Whole ", true],
  );

  const completed = ended("completed");
  changes.length = 0;
  store.retry(id);
  // A second press while it runs changes nothing.
  store.retry(id);
  await completed;
  assert.equal(changes[0], "waiting ");
  const [after] = store.snapshot().requests;
  assert.deepEqual(
    [after?.id, after?.transcript.lanes[0]?.text, after?.transcript.error],
    [id, "Whole answer.", undefined],
  );
  const calls = upstream.requests.length;
  store.retry(id);
  store.retry("never");
  assert.deepEqual([store.snapshot().requests[0], upstream.requests.length, calls], [after, 2, 2]);
  close();
});
