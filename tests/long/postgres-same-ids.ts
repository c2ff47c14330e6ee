import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { createCountingUpstream } from "../crash/counting-upstream.ts";
import { answerTo, namelessVoice, questionOf } from "../crash/numbered-answer.ts";
import { connect, isTerminal, textOf, type WireClient } from "../support/wire-client.ts";
import { emptyDatabase, runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { startNodes } from "./postgres/start-nodes.ts";
import { reportFigures } from "./record/report.ts";

/** The figure of a short run; a longer one sets its own. */
const ids = Number(process.env.SAME_IDS ?? 60);

/** Sends these requests at once, and returns the numbered messages of each. */
async function askAll(client: WireClient, asked: readonly string[]): Promise<Map<string, ServerMessage[]>> {
  for (const id of asked)
    client.send({
      ...{ type: "openai_chat", id },
      data: { input_text: questionOf(id), pacing: { mode: "raw" } },
    });
  const messages = new Map<string, ServerMessage[]>(asked.map((id) => [id, []]));
  for (let running = asked.length; running > 0; ) {
    const message = await client.next((one) => "seq" in one);
    if ("request_id" in message) messages.get(message.request_id ?? "")?.push(message);
    if (isTerminal(message)) running -= 1;
  }
  client.terminate();
  return messages;
}

/** Which two of three nodes a request is sent to: each pair in turn. */
const pairs = [
  [0, 1],
  [2, 0],
  [1, 2],
];

describe("three nodes on one PostgreSQL", withPostgres, () => {
  after(stopShared);

  it(`call the provider once for each of ${ids} requests that are sent to two of them at once`, async () => {
    const databaseUrl = await emptyDatabase();
    await using upstream = await createCountingUpstream({ delayMs: () => 5 });
    const variables = { TROUPE_MAX_REQUESTS_PER_CONNECTION: String(ids) };
    await using nodes = await startNodes({
      ...{ databaseUrl, upstreamUrl: upstream.baseUrl, count: 3, variables },
    });
    const clients = await Promise.all(nodes.all.map(({ url = "" }) => connect(url)));
    const asked = Array.from({ length: ids }, (_, index) => `same-${index}`);
    const answers = await Promise.all(
      clients.map((client, node) =>
        askAll(
          client,
          asked.filter((_, index) => pairs[index % pairs.length]?.includes(node)),
        ),
      ),
    );
    const rows = await runOn(databaseUrl, "SELECT count(*)::int AS turns FROM turns");
    const seen = asked.map((id) => ({
      id,
      both: answers.flatMap((node) => (node.has(id) ? [node.get(id)] : [])),
    }));
    const isSame = ({ both: [one, other] }: (typeof seen)[number]) =>
      JSON.stringify(one) === JSON.stringify(other);
    const figures = {
      "requests, each sent to two of three nodes at once": ids,
      "turns in the database": Number(rows[0]?.turns),
      "provider calls": upstream.calls,
      "requests whose messages differ between the nodes": seen.filter((request) => !isSame(request)).length,
      "wrong texts": seen.filter(({ id, both: [one = []] }) => textOf(one) !== answerTo(id, namelessVoice))
        .length,
    };
    reportFigures({ program: "postgres-same-ids", settings: { SAME_IDS: ids }, figures });
    assert.deepEqual(Object.values(figures), [ids, ids, ids, 0, 0]);
    for (const node of nodes.all) assert.deepEqual(node.faults, []);
  });
});
