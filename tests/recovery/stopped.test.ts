import assert from "node:assert/strict";
import { test } from "node:test";
import { createDataFolder } from "../crash/data-folder.ts";
import { answer } from "../doubles/answer.ts";
import { brokenAfter } from "../doubles/background-answer.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { until } from "../support/until.ts";
import { replay } from "./interrupted-server.ts";

test("a crash right after an accepted stop revives no answer in the background", async () => {
  await using before = await createDataFolder();
  await using after = await createDataFolder();
  await using upstream = await createUpstreamDouble();
  upstream.respond(
    brokenAfter(8, answer({ responseId: "resp_1", deltas: ["Half ", "an answer"] }), { hang: true }),
  );
  // So the turn has not ended when the server is gone.
  upstream.respondToCancels([{ hang: true }]);
  const options = { store: "sqlite", openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl } as const;
  await using server = await startTroupe({ ...options, data: before.folder });
  const client = await server.connect();
  const data = { input_text: "Hi", options: { background: true }, pacing: { mode: "raw" } };
  client.send({ type: "openai_chat", id: "r", data });
  await client.next((message) => message.type === "chunk");
  client.send({ type: "cancel", data: { request_id: "r" } });
  await client.next((message) => message.type === "cancelling");
  {
    using source = openBeside(before.database);
    source.exec(`VACUUM INTO '${after.database}'`);
  }

  upstream.respondToCancels(undefined);
  await using next = await startTroupe({ ...options, data: after.folder });
  const end = (await replay(await next.connect(), "r")).at(-1);
  assert.ok(end?.type === "response" && end.status === "cancelled");
  assert.deepEqual([upstream.requests.length, upstream.retrievals.length], [1, 0]);
  // The vendor may not have heard of the stop from the first process.
  const isCancel = ({ path }: { path: string }) => path === "/v1/responses/resp_1/cancel";
  await until(() => upstream.sideRequests.filter(isCancel).length === 2);
  assert.ok(end.data.cancel?.upstream_closed);
});
