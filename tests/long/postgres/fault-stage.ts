import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Ask } from "../../crash/any-ask.ts";
import { type CountingUpstream, createCountingUpstream } from "../../crash/counting-upstream.ts";
import { createFindings, type Findings } from "../../crash/findings.ts";
import { checkReplays } from "../../crash/replay-check.ts";
import { createRequestRecord, type RequestRecord } from "../../crash/request-record.ts";
import { createReturningClient } from "../../crash/returning-client.ts";
import { createSeededRandom } from "../../crash/seeded-random.ts";
import { messagesOf } from "../../crash/seen-texts.ts";
import type { ServerProcess } from "../../crash/server-process.ts";
import { checkRequests } from "../../crash/verdict.ts";
import { rowFaults } from "./check-rows.ts";
import { createFaultyProxy, type FaultyProxy } from "./faulty-proxy.ts";
import { emptyDatabase, runOn } from "./open-store.ts";
import { startNodes, untilServing } from "./start-nodes.ts";
import { watchWrites, wrongWrites } from "./watch-writes.ts";

/** A guard that the nodes do without; see `sabotage-preload.ts`. */
export type Sabotage =
  | "no fence"
  | "no second try"
  | "no count"
  | "a claim by not exists"
  | "a takeover in one statement"
  | "told before the commit"
  | "no limits";

/** A node of a stage, and its own way to the database. */
export interface StagedNode {
  readonly process: ServerProcess;
  readonly proxy: FaultyProxy;
  /** The number under which it writes. */
  readonly incarnation: number;
}

/** A client of one request. */
export interface StagedReader {
  readonly record: RequestRecord;
  /** Whether a client was told that the answer begins again. */
  readonly hasReset: boolean;
  /** From now on it connects to this node. Its present connection stays until it breaks. */
  moveTo(node: StagedNode): void;
}

/** Three nodes on one database, on which a test sets up one situation step by step. */
export interface FaultStage extends AsyncDisposable {
  readonly nodes: readonly [StagedNode, StagedNode, StagedNode];
  readonly databaseUrl: string;
  readonly upstream: CountingUpstream;
  readonly sabotage: Sabotage | undefined;
  /** Kills a node for good, as a crash would, with its connections to the database. */
  kill(node: StagedNode): Promise<void>;
  /** From now on this change of the database waits inside its transaction, until `release`. */
  holdUp(change: string): Promise<HeldUp>;
  /** Asks at this node. */
  ask(node: StagedNode, ask: Ask): StagedReader;
  /** Follows another client's request at this node, from its start. */
  follow(node: StagedNode, record: RequestRecord): StagedReader;
  /** The number of rows of events in the database. */
  storedEvents(): Promise<number>;
  /** Waits until all readers have seen their ends, or until something is wrong, and judges everything. */
  judge(): Promise<Findings>;
}

/** Changes of the database that wait. */
export interface HeldUp {
  release(): Promise<void>;
}

/** Numbers from here on are locked by no node. */
const firstLock = 77;

const preload = new URL("sabotage-preload.ts", import.meta.url).pathname;
/** Between two looks at a condition, milliseconds. */
const lookMs = 20;

/** Waits for a condition. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(lookMs);
}

/** The number of statements with this text that wait for a lock. */
export async function waiting(stage: Pick<FaultStage, "databaseUrl">, text: string): Promise<number> {
  const [row] = await runOn(
    stage.databaseUrl,
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%' || $1::text || '%'",
    [text],
  );
  return Number(row?.count);
}

/** The text that clients have been shown since the last reset. */
export function shownSinceReset(record: RequestRecord): number {
  const messages = messagesOf(record);
  const from = messages.findLastIndex(({ type }) => type === "reset");
  return messages.slice(from + 1).filter(({ type }) => type === "chunk").length;
}

export async function openFaultStage(sabotage?: Sabotage): Promise<FaultStage> {
  await using opening = new AsyncDisposableStack();
  const databaseUrl = await emptyDatabase();
  await watchWrites(databaseUrl);
  const upstream = opening.use(await createCountingUpstream({ delayMs: () => 100 }));
  const proxies = [
    opening.use(await createFaultyProxy(databaseUrl)),
    opening.use(await createFaultyProxy(databaseUrl)),
    opening.use(await createFaultyProxy(databaseUrl)),
  ];
  const started = opening.use(
    await startNodes({
      ...{ databaseUrl, upstreamUrl: upstream.baseUrl, count: 3 },
      databaseUrlOf: (place) => proxies[place]?.url ?? databaseUrl,
      ...{ preload, variables: sabotage === undefined ? {} : { SABOTAGE: sabotage } },
    }),
  );
  const incarnations = await runOn(databaseUrl, "SELECT incarnation, name FROM nodes");
  const nodes = started.all.map((process, number): StagedNode => {
    const incarnation = Number(
      incarnations.find(({ name }) => name === started.nameOf(process))?.incarnation,
    );
    return { process, proxy: proxies[number] as FaultyProxy, incarnation };
  }) as [StagedNode, StagedNode, StagedNode];

  const random = createSeededRandom(1);
  const findings = createFindings();
  const records = new Set<RequestRecord>();
  const reads: Promise<void>[] = [];
  const living = new Set(nodes);
  let holdings = 0;

  function read(node: StagedNode, record: RequestRecord, owns: boolean): StagedReader {
    let at = node;
    const url = () => at.process.url ?? "";
    const client = createReturningClient({ url, random, findings, life: () => 1 });
    opened.defer(() => client.close());
    records.add(record);
    reads.push(client.read(record, owns));
    return {
      record,
      get hasReset() {
        return messagesOf(record).some(({ type }) => type === "reset");
      },
      moveTo(other) {
        at = other;
      },
    };
  }

  async function isWrong(): Promise<boolean> {
    for (const [what, count] of Object.entries(await wrongWrites(databaseUrl)))
      if (count > 0) findings.note("wrong writes", what, count);
    return findings.total > 0;
  }

  const opened = opening.move();
  return {
    ...{ nodes, databaseUrl, upstream, sabotage },
    async kill(node) {
      living.delete(node);
      await node.process.kill();
      node.proxy.heal();
    },
    async holdUp(change) {
      const lock = firstLock + holdings;
      holdings += 1;
      const client = new pg.Client(databaseUrl);
      await client.connect();
      await client.query("SELECT pg_advisory_lock($1)", [lock]);
      await client.query(`
        CREATE FUNCTION hold_up_${lock}() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN
            PERFORM pg_advisory_xact_lock_shared(${lock});
            RETURN coalesce(NEW, OLD);
          END $$;
        CREATE TRIGGER hold_up_${lock} ${change} EXECUTE FUNCTION hold_up_${lock}();`);
      return { release: () => client.end() };
    },
    ask: (node, ask) => read(node, createRequestRecord(ask, findings), true),
    follow: (node, record) => read(node, record, false),
    async storedEvents() {
      const [row] = await runOn(databaseUrl, "SELECT count(*) FROM events");
      return Number(row?.count);
    },
    async judge() {
      const ended = Promise.all(reads).then(() => true);
      // Nodes without a guard may never come to an end.
      while (!(await Promise.race([ended, sleep(200, false)]))) if (await isWrong()) return findings;
      const all = [...records];
      checkRequests(all, upstream, findings);
      for (const { process } of living) {
        await untilServing(process);
        await checkReplays(process.url ?? "", all, findings);
      }
      if (await isWrong()) return findings;
      const codes = await Promise.all([...living].map(({ process }) => process.stop()));
      if (codes.some((code) => code !== 0)) findings.note("faults in the server's log", `ends: ${codes}`);
      for (const fault of await rowFaults(databaseUrl)) findings.note("wrong logs on disk", fault);
      return findings;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
