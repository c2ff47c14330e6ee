import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { slowSync } from "../../../bench/nodes/slow-sync.ts";
import type { FaultPlace } from "./fault-place.ts";
import { startHeldDump } from "./held-dump.ts";
import { runOn } from "./open-store.ts";
import { refuseSomeRows } from "./refused-rows.ts";
import { shiftedClock } from "./shifted-clock.ts";

/** Changes a setting of the whole server, also for connections that are open. */
async function configure(databaseUrl: string, change: string): Promise<void> {
  await runOn(databaseUrl, `ALTER SYSTEM ${change}`);
  await runOn(databaseUrl, "SELECT pg_reload_conf()");
}

/** Opens connections until the server refuses them. */
async function takeAll(databaseUrl: string, taken: pg.Client[]): Promise<void> {
  for (;;) {
    const client = new pg.Client(databaseUrl);
    client.on("error", () => undefined);
    try {
      await client.connect();
    } catch {
      return;
    }
    taken.push(client);
  }
}

const endNodes =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'troupe%'";

async function useUpConnections({ databaseUrl, random }: FaultPlace): Promise<void> {
  const taken: pg.Client[] = [];
  const untilMs = performance.now() + random.pick([1_500, 6_000]);
  try {
    do {
      await Promise.all(Array.from({ length: 8 }, () => takeAll(databaseUrl, taken)));
      // A node that was faster than the test loses its connection again.
      await taken[0]?.query(endNodes);
    } while (performance.now() < untilMs);
  } finally {
    await Promise.all(taken.map((client) => client.end()));
  }
}

/** Slow for a while, with a restart of the database before and after it. */
async function slowDisk({ database, databaseUrl }: FaultPlace, ms: number): Promise<void> {
  await using slow = await slowSync(ms);
  await configure(databaseUrl, "SET fsync = on");
  await database.stop("fast");
  await database.start(slow.environment);
  await sleep(10_000);
  await configure(databaseUrl, "RESET fsync");
  await database.restart("fast");
}

/** Cuts every way to the database again and again. */
async function flap({ proxies, random }: FaultPlace, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const way = random.pick(["statements", "answers"] as const);
    for (const proxy of proxies) proxy.block(way);
    await sleep(1_000);
    for (const proxy of proxies) proxy.heal();
    await sleep(1_000);
  }
}

/** Faults of the database, of the ways to it and of clocks that may interrupt no request; see `playFault`. */
export const databaseFaults = {
  async "read-only database"({ databaseUrl, random }) {
    await configure(databaseUrl, "SET default_transaction_read_only = on");
    await sleep(random.pick([1_500, 6_000]));
    await configure(databaseUrl, "RESET default_transaction_read_only");
  },
  "no free connection": useUpConnections,
  async "kill of the database"({ database, random }) {
    await database.stop("kill");
    await sleep(random.between(0, 1_000));
    await database.start();
  },
  async "database away for 60 s"({ database }) {
    await database.stop("fast");
    await sleep(60_000);
    await database.start();
  },
  "ways that flap for 60 s": (place) => flap(place, 30),
  "disk that takes 3 ms more": (place) => slowDisk(place, 3),
  "disk that takes 100 ms more": (place) => slowDisk(place, 100),
  /** Its locks and its snapshot stay while a node starts again and looks at the schema. */
  async "dump that takes long"({ databaseUrl, nodes, random }) {
    await using dump = await startHeldDump(databaseUrl);
    const node = nodes.any(random);
    await node.stop();
    node.start();
    await node.listening();
    await sleep(5_000);
    await dump.finish();
  },
  async "clock that is 10 minutes wrong"({ nodes, random }) {
    const node = nodes.any(random);
    for (const shiftMs of [random.pick([-600_000, 600_000]), 0]) {
      await node.stop();
      node.start(shiftedClock(shiftMs));
      await node.listening();
      await sleep(10_000);
    }
  },
  "rows that the database refuses": refuseSomeRows,
} as const satisfies Record<string, (place: FaultPlace) => Promise<void>>;
