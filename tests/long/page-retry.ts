import assert from "node:assert/strict";
import { after, it } from "node:test";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { closeBrowser, openContext, withBrowser } from "./page/browser.ts";
import { openPlayground } from "./page/playground.ts";

after(closeBrowser);

const script = streamScript(answer({ deltas: ["Whole ", "answer."] }));

it("the page runs a failed request again, once, and offers it only if possible", withBrowser, async () => {
  await using upstream = await createUpstreamDouble();
  upstream.respond((_, call) => (call === 0 ? [...script.slice(0, 6), { reset: true }] : script));
  await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  await using context = await openContext();
  const playground = await openPlayground(context, server.httpUrl);
  await playground.fill("message", "Who fails?");
  await playground.send();
  await playground.untilTurn("failed");
  const retry = playground.turn.getByRole("button", { name: "Try again" });
  await retry.click();
  await playground.untilTurn("completed");
  assert.deepEqual(await playground.texts(), ["Whole answer."]);
  assert.equal(await retry.isVisible(), false);
  const [first, second] = playground.sent.filter(
    ({ type }) => type === "chat" || type === "multi_chat" || type === "openai_chat",
  );
  assert.ok(first !== undefined && second !== undefined);
  const error = playground.received.find(({ type }) => type === "error");
  assert.ok(error?.type === "error" && error.seq !== undefined);
  assert.deepEqual(second, { ...first, data: { ...first.data, retry: error.seq } });
  assert.equal(await playground.turn.getByText("Who fails?").count(), 1);
});
