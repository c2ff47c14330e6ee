import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { createCountingUpstream } from "../crash/counting-upstream.ts";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { adminKey } from "../support/key-system.ts";
import { findBroken } from "./postgres/broken-promises.ts";
import { type Sabotage, until } from "./postgres/fault-stage.ts";
import { startGuests } from "./postgres/keyed-guests.ts";
import { emptyDatabase, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { openRecord, reservation, stories } from "./postgres/promise-stories.ts";
import { startNodes } from "./postgres/start-nodes.ts";
import { createTimeline, readHistory } from "./postgres/timeline.ts";
import { watchNodes } from "./postgres/watch-nodes.ts";

const preload = new URL("postgres/sabotage-preload.ts", import.meta.url).pathname;

/** Guests at three nodes, until there is enough to judge. */
async function playGuests(sabotage?: Sabotage) {
  const databaseUrl = await emptyDatabase();
  await watchNodes(databaseUrl);
  await using upstream = await createCountingUpstream({ delayMs: () => 20 });
  await using nodes = await startNodes({
    ...{ databaseUrl, upstreamUrl: upstream.baseUrl, count: 3, preload },
    variables: {
      TROUPE_ADMIN_KEY: adminKey,
      TROUPE_RESERVED_TOKENS: String(reservation),
      ...(sabotage === undefined ? {} : { SABOTAGE: sabotage }),
    },
  });
  const guests = startGuests({
    ...{ random: createSeededRandom(1), upstream, cap: 200 },
    urls: () => nodes.all.map(({ url = "" }) => url),
  });
  const broken = async () => {
    const timeline = createTimeline(await readHistory(databaseUrl, []));
    const evidence = { databaseUrl, timeline, upstream, reservation, foreign: [], sums: [], gaps: [] };
    return findBroken({ ...evidence, guests: guests.results(), cancels: guests.results().cancels });
  };
  try {
    let found = await broken();
    await until(async () => {
      const { revoked, tickets, spentKeys, cancels } = guests.results();
      if (sabotage === undefined) return Math.min(revoked, tickets, spentKeys, cancels.length) > 0;
      found = await broken();
      const { overspent, afterRevocation, reusedTickets } = found;
      return Math.min(overspent.length, afterRevocation.length, reusedTickets.length) > 0;
    });
    // Calls that run count with their reservations, and less once they have ended.
    if (sabotage !== undefined) return found;
    await guests.finish();
    return await broken();
  } finally {
    guests.close();
  }
}

// Guests are mostly waiting.
describe("the oracle of several nodes", { ...withPostgres, concurrency: 2 }, () => {
  after(stopShared);

  it("finds no fault of nodes that keep the limits of callers", async () => {
    const broken = await playGuests();
    for (const faults of Object.values(broken)) assert.deepEqual(faults, []);
  });

  it("notices nodes that overspend, serve revoked keys and open a ticket twice", {
    timeout: 120_000,
  }, async () => {
    const { overspent, afterRevocation, reusedTickets } = await playGuests("no limits");
    for (const faults of [overspent, afterRevocation, reusedTickets]) assert.notDeepEqual(faults, []);
  });

  for (const { name, play, breaks = [] } of stories)
    it(`${breaks.length === 0 ? "allows" : "notices"} that ${name}`, async () => {
      const record = await openRecord();
      await play(record);
      assert.deepEqual(await record.broken(), breaks);
    });
});
