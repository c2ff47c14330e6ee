import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { createCountingUpstream } from "../crash/counting-upstream.ts";
import { questionOf } from "../crash/numbered-answer.ts";
import type { ServerProcess } from "../crash/server-process.ts";
import { adminKey, bearer, type MadeKey } from "../support/key-system.ts";
import { connect } from "../support/wire-client.ts";
import { emptyDatabase, runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { shiftedClock } from "./postgres/shifted-clock.ts";
import { startNodes } from "./postgres/start-nodes.ts";

const msPerDay = 24 * 3_600_000;

describe("nodes whose clocks are days apart", withPostgres, () => {
  after(stopShared);

  it("share tickets, the day of the budget, and the times of all that is kept", async () => {
    const databaseUrl = await emptyDatabase();
    await using upstream = await createCountingUpstream({ delayMs: () => 1 });
    const variables = {
      TROUPE_ADMIN_KEY: adminKey,
      TROUPE_SERVER_TOKENS_PER_DAY: "1000000",
      TROUPE_USAGE_DAYS: "1",
      TROUPE_PACING: "raw",
      TROUPE_LAME_DUCK_MS: "0",
    };
    await using nodes = await startNodes({
      databaseUrl,
      upstreamUrl: upstream.baseUrl,
      count: 2,
      variables,
    });
    const [early, late] = nodes.all;
    assert.ok(early !== undefined && late !== undefined);
    const httpUrl = ({ url = "" }: ServerProcess) => url.replace("ws:", "http:").replace("/ws", "");
    /** A node that starts deletes old rows at once. */
    async function startWrong(): Promise<void> {
      await Promise.all([early, late].map((node) => node?.stop()));
      early?.start(shiftedClock(-3 * msPerDay));
      late?.start(shiftedClock(3 * msPerDay));
      await Promise.all([early, late].map((node) => node?.listening()));
    }
    await startWrong();
    const made = await fetch(`${httpUrl(late)}/api/keys`, {
      ...{ method: "POST", ...bearer(adminKey) },
      body: JSON.stringify({ owner: "ada" }),
    });
    const { key } = (await made.json()) as MadeKey;

    /** Opens a socket at one node with a ticket of the other. */
    async function open(at: ServerProcess, issuer: ServerProcess) {
      const issued = await fetch(`${httpUrl(issuer)}/api/tickets`, { method: "POST", ...bearer(key) });
      const { ticket } = (await issued.json()) as { ticket: string };
      return connect(`${at.url}?ticket=${ticket}`);
    }
    async function answer(at: ServerProcess, issuer: ServerProcess, id: string) {
      const client = await open(at, issuer);
      client.send({ type: "openai_chat", id, data: { input_text: questionOf(id) } });
      assert.equal((await client.untilTerminal(id)).at(-1)?.type, "response");
      client.terminate();
    }
    await answer(early, late, "of-early");
    await answer(late, early, "of-late");
    await startWrong();
    for (const [at, issuer] of [
      [early, late],
      [late, early],
    ] as const) {
      const client = await open(at, issuer);
      for (const id of ["of-early", "of-late"]) {
        client.send({ type: "resume", data: { request_id: id, after_seq: 0 } });
        const [resumed, ...replayed] = await client.untilTerminal(id);
        assert.ok(resumed?.type === "resumed" && resumed.head_seq === replayed.length);
      }
      client.terminate();
    }
    const today = "floor(extract(epoch FROM clock_timestamp()) / 86400)::int";
    const kept = await runOn(
      databaseUrl,
      `SELECT (SELECT count(*)::int FROM usage WHERE day BETWEEN ${today} - 1 AND ${today}) AS calls,
          (SELECT count(*)::int FROM purses WHERE day > 0 AND day NOT BETWEEN ${today} - 1 AND ${today}) AS strange_days`,
    );
    assert.deepEqual(kept, [{ calls: 2, strange_days: 0 }]);
  });
});
