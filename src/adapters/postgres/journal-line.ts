import { randomInt } from "node:crypto";
import type pg from "pg";
import type { Clock } from "../../ports/clock.ts";
import type { Row } from "../database/row.ts";
import type { BeatItem } from "./beat-item.ts";
import { beatStatement } from "./beat-statement.ts";
import { connect, drop } from "./connection.ts";
import { FenceLostError, kindOf, takenOver } from "./database-faults.ts";

interface JournalLineOptions {
  readonly url: string;
  readonly clock: Clock;
  /** The connection to start with. */
  readonly client: pg.Client;
  readonly incarnation: number;
  /** Names the node for people. */
  readonly name: string;
  /** Called with the cause when a commit is late, and with `undefined` when one was made. */
  readonly onDelay: (fault: Error | undefined) => void;
}

/**
 * The connection that writes the journal, under a fence that every statement counts up. The count makes each statement happen once: a commit
 * whose outcome is unknown is sent again until it is known, also if the first one arrives late.
 */
export interface JournalLine {
  /**
   * Commits the items together, and returns the numbers of the turns that began. Waits as long as the database is away. Calls must not
   * overlap. Rejects if the statement was rolled back for good, with a `FenceLostError` if another process has taken over, and with the
   * signal's reason once `stop` was called.
   */
  commit(items: readonly BeatItem[]): Promise<ReadonlySet<number>>;
  /** Gives up a commit whose outcome is unknown. */
  stop(): void;
  close(): Promise<void>;
}

/** A statement that takes longer is given up and sent again: `statement_timeout` does not cover a commit. */
const deadlineMs = 6_000;
/** A commit that takes longer counts as a fault of the database. */
const lateMs = 2_000;
/** Between two attempts to connect. It does not grow, because other processes see a database that is back within seconds. */
const pauseMs = 500;

/** Starts the line. Nothing else may write under its incarnation. */
export async function openJournalLine(options: JournalLineOptions): Promise<JournalLine> {
  const { url, clock, incarnation, name: nodeName, onDelay } = options;
  const stopped = new AbortController();
  const nonce = randomInt(2 ** 47);
  const fenceKey = [incarnation, nonce];
  let client: pg.Client | undefined = options.client;
  let sent = 0;
  /** Why the present commit was not made at once. */
  let cause: Error | undefined;
  // In one statement, so that no fence is without its node.
  await client.query(
    "WITH node AS (INSERT INTO nodes (incarnation, name) VALUES ($1, $3)) INSERT INTO fences (incarnation, line, nonce, sent) VALUES ($1, 0, $2, 0)",
    [...fenceKey, nodeName],
  );
  await nameJournal(client, incarnation);

  async function reconnect(): Promise<pg.Client> {
    const other = await connect(url, "journal");
    await nameJournal(other, incarnation);
    return other;
  }

  /** Runs a query with the deadline, on a new connection if there is none. */
  async function ask(query: pg.QueryConfig): Promise<Row | undefined> {
    client ??= await reconnect();
    const current = client;
    const cancel = clock.callAfter(deadlineMs, () => drop(current));
    try {
      const { rows } = await current.query(query);
      return rows[0];
    } finally {
      cancel();
    }
  }

  /** Asks until the database answers. Rejects with an answer that a repetition would not change. */
  async function askUntilAnswered(query: pg.QueryConfig): Promise<Row | undefined> {
    for (;;) {
      try {
        return await ask(query);
      } catch (fault) {
        // The connection to a database that is starting fails with codes of its own.
        if (client !== undefined && kindOf(fault) !== "again") throw fault;
        if (client !== undefined) drop(client);
        client = undefined;
        cause = fault instanceof Error ? fault : new Error(String(fault));
        await clock.sleep(pauseMs, stopped.signal);
        stopped.signal.throwIfAborted();
      }
    }
  }

  /** Whether the statement of this number was committed, which did not find its number. */
  async function wasCommitted(number: number): Promise<boolean> {
    const row = await askUntilAnswered({
      text: "SELECT sent FROM fences WHERE incarnation = $1 AND line = 0 AND nonce = $2",
      values: fenceKey,
    });
    if (row === undefined) throw new FenceLostError(takenOver);
    const committed = Number(row.sent);
    if (committed < number - 1)
      throw new FenceLostError("the database has lost commits that it had confirmed");
    return committed >= number;
  }

  /** The turns among the items that began, read from their rows. */
  async function begunAmong(items: readonly BeatItem[]): Promise<ReadonlySet<number>> {
    const numbers = items.flatMap((item) => (item.kind === "start" ? [item.turn.number] : []));
    if (numbers.length === 0) return new Set();
    const row = await askUntilAnswered({
      text: "SELECT string_agg(number::text, ',') AS began FROM turns WHERE number = ANY ($1::bigint[])",
      values: [`{${numbers.join(",")}}`],
    });
    return numbersIn(row);
  }

  return {
    async commit(items) {
      const number = sent + 1;
      const { name, text, values } = beatStatement(items);
      cause = undefined;
      const cancelDelay = clock.callAfter(lateMs, () =>
        onDelay(cause ?? new Error("a commit takes longer than 2 s")),
      );
      try {
        for (;;) {
          const row = await askUntilAnswered({ name, text, values: [number, ...fenceKey, ...values] });
          const isFenced = row?.fenced === 1;
          if (!isFenced && !(await wasCommitted(number))) continue;
          sent = number;
          onDelay(undefined);
          return isFenced ? numbersIn(row) : await begunAmong(items);
        }
      } finally {
        cancelDelay();
      }
    },
    stop: () => stopped.abort(),
    async close() {
      stopped.abort();
      if (client !== undefined) await client.end().catch(() => undefined);
    },
  };
}

/** The name of a node's connection for its journal, by which others find it. */
export function journalName(incarnation: number | string): string {
  return `troupe journal ${incarnation}`;
}

async function nameJournal(client: pg.Client, incarnation: number): Promise<void> {
  await client.query("SELECT set_config('application_name', $1, false)", [journalName(incarnation)]);
}

function numbersIn(row: Row | undefined): ReadonlySet<number> {
  const { began } = row ?? {};
  return new Set(typeof began === "string" ? began.split(",").map(Number) : []);
}
