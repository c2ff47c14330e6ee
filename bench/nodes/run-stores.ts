import { writeRecord } from "../../scripts/write-record.ts";
import type { BenchOptions } from "../options.ts";
import type { Plan } from "../plan.ts";
import type { Rig } from "../rig.ts";
import { measureStores } from "./measure-stores.ts";
import { startStores } from "./store-sides.ts";
import { storesTable } from "./stores-table.ts";

/** Numbers of streams of a server. */
const levels = [300, 600];
const usual: Plan = {
  ...{ rounds: 3, windowMs: 4_000, settleMs: 2_000, warmUpMs: 5_000 },
  upstreams: [],
};

/**
 * `npm run bench -- --postgres`: measures a server on PostgreSQL beside one on SQLite, and prints the table. If `RECORDS`
 * names a folder, the table is also written there.
 */
export async function runStores(rig: Rig, { rounds, windowMs }: BenchOptions): Promise<void> {
  const plan = { ...usual, rounds: rounds ?? usual.rounds, windowMs: windowMs ?? usual.windowMs };
  const startedAt = performance.now();
  await using stores = await startStores(rig.isPinned);
  const results = storesTable(await measureStores(rig, stores.all, levels, plan), plan.rounds);
  console.log(`\n${results}`);
  const folder = process.env.RECORDS;
  if (folder === undefined) return;
  const minutes = Math.ceil((performance.now() - startedAt) / 60_000);
  const command = `npm run bench -- --postgres --rounds ${plan.rounds}`;
  writeRecord(folder, "postgres-cost", { program: "bench/nodes/run-stores.ts", command, minutes, results });
}
