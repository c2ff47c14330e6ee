import type { Clock } from "../../../ports/clock.ts";
import type { NodeState, Nodes } from "../../../ports/nodes.ts";
import type { Row } from "../../database/row.ts";
import { named } from "../connection.ts";
import type { PostgresStore } from "../postgres-store.ts";
import { createDeathWatch, cutOffMs, type SeenNode } from "./death-watch.ts";
import { createSteadyConnection } from "./steady-connection.ts";
import { fenceLockTimeout, forgetNode, takeOver } from "./take-over.ts";

interface NodeOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly store: PostgresStore;
  /** Called when a node that has died can write no more. */
  readonly onDeath: () => void;
  /** Whether a node hears Redis; `undefined` if this one uses none. */
  readonly hearsRedis?: (incarnation: number) => boolean | undefined;
  /** Called after every look. */
  readonly onLook?: (look: NodeLook) => void;
}

/** The state of the nodes at one look. */
export interface NodeLook {
  /** The incarnations of the other nodes that live. */
  readonly others: readonly number[];
  /** Whether a client of another node has stopped a turn of this one. */
  readonly hasCancels: boolean;
  /** The number of the last revocation of a key. */
  readonly revocations: number;
}

/** This process among the nodes on one database. */
export interface Node extends Nodes, AsyncDisposable {
  /**
   * Sets the function that is called when no heartbeat was answered for so long that others may soon call this node dead, and when one is
   * answered again. Only if there are others.
   */
  onCutOff(listener: (isCutOff: boolean) => void): void;
  /** Whether it is cut off now. A process that stood still is told here, before its timers run. */
  isCutOff(): boolean;
}

/** Nodes in a list. */
const maxListed = 1_000;
/** From one heartbeat to the next, milliseconds. */
const beatMs = 1_000;
/** Between attempts to reach a database that is away. It does not grow, so that all nodes find it within a short time. */
const pauseMs = 500;
const deadlineMs = 2_500;
/** How long a node that leaves waits for its last commits. */
const leaveLimitMs = 5_000;

/** A session holds the lock of its node. The base makes numbers that no other program is likely to lock in the same database. */
const lockBase = 7_402_386_692_000_000;
/** After a restart of the database, nodes get this time to connect again. */
const settledAfter = "15 s";

const statements = named({
  // The update is not seen by the rest of the statement.
  look: `WITH own AS (UPDATE nodes SET beat = beat + 1, state = $2 WHERE incarnation = $1)
    SELECT incarnation, beat, state,
      EXISTS (SELECT 1 FROM fences f WHERE f.incarnation = n.incarnation) AS has_fence,
      EXISTS (
        SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND (classid::bigint << 32) + objid::bigint = ${lockBase} + n.incarnation) AS is_connected,
      clock_timestamp() - pg_postmaster_start_time() > interval '${settledAfter}' AS is_settled,
      EXISTS (SELECT 1 FROM turns WHERE node = $1 AND cancels IS NOT NULL) AS has_cancels,
      (SELECT value FROM counters WHERE name = 'revocations') AS revocations
    FROM nodes n`,
  lock: "SELECT pg_try_advisory_lock($1)",
  list: `SELECT incarnation, name, state, beat,
      (SELECT count(*) FROM turns WHERE node = n.incarnation) AS turns
    FROM nodes n WHERE EXISTS (SELECT 1 FROM fences WHERE incarnation = n.incarnation)
    ORDER BY incarnation LIMIT ${maxListed}`,
});

/**
 * Starts the heartbeats of this node, and looks for the death of others. A node that has died is taken over: it can write no more, and its
 * turns are there for all to claim. Tells the store if this node itself was taken over.
 */
export async function joinNodes(options: NodeOptions): Promise<Node> {
  const { url, clock, store, onDeath, onLook, hearsRedis } = options;
  const { incarnation } = store;
  const stopped = new AbortController();
  const watch = createDeathWatch();
  let state: NodeState["state"] = "serving";
  let hasOthers = false;
  const heard = createHeartbeatAges(clock);
  const connection = createSteadyConnection({
    ...{ url, clock, deadlineMs },
    onOpen: (client) => client.query(`SET lock_timeout = '${fenceLockTimeout}'`),
  });

  let isCutOff = false;
  let tellCutOff: (isCutOff: boolean) => void = () => undefined;
  let cancelCutOff: () => void = () => undefined;
  let cutOffAtMs = Number.POSITIVE_INFINITY;

  function cutOff(): void {
    if (isCutOff || !hasOthers) return;
    isCutOff = true;
    tellCutOff(true);
  }

  /** Counted from when the last answered heartbeat was sent. */
  function noteAnswered(sentAtMs: number): void {
    cancelCutOff();
    cutOffAtMs = sentAtMs + cutOffMs;
    cancelCutOff = clock.callAfter(Math.max(0, cutOffAtMs - clock.now()), cutOff);
    if (!isCutOff) return;
    isCutOff = false;
    tellCutOff(false);
  }

  async function look(): Promise<void> {
    const sentAtMs = clock.now();
    const rows = await connection.ask(statements.look, [incarnation, state]);
    const own = rows.find((row) => Number(row.incarnation) === incarnation);
    if (own?.has_fence !== true) return store.lose();
    // On a new connection; or on a later look, if the session before it kept the lock for longer.
    if (own.is_connected !== true) await connection.ask(statements.lock, [lockBase + incarnation]);
    const nodes = rows.map(toSeen).filter((node) => node.incarnation !== incarnation);
    const isSettled = own.is_settled === true;
    const { dead, gone, hasLost } = watch.note({ nodes, sentAtMs, answeredAtMs: clock.now(), isSettled });
    heard.note(rows);
    const others = nodes
      .filter(({ hasFence, incarnation: one }) => hasFence && !dead.includes(one))
      .map((node) => node.incarnation);
    hasOthers = rows.some((row) => others.includes(Number(row.incarnation)) && stateOf(row) === "serving");
    noteAnswered(sentAtMs);
    onLook?.({ others, hasCancels: own.has_cancels === true, revocations: Number(own.revocations) });
    // Its taker may be stopping, or may have died too soon to claim.
    if (hasLost) onDeath();
    for (const one of dead) if (await takeOver(connection, one)) onDeath();
    for (const one of gone) {
      await forgetNode(connection, one);
      // Its taker may have died too soon to tell.
      onDeath();
    }
  }

  let next = upcomingLook();

  async function run(): Promise<void> {
    while (!stopped.signal.aborted && !store.lost.aborted) {
      const current = next;
      next = upcomingLook();
      const startedAtMs = clock.now();
      let waitMs = beatMs;
      try {
        await look();
      } catch {
        // The store tells of a database that is away.
        watch.fail(clock.now());
        waitMs = pauseMs;
      }
      current.ended.resolve();
      await clock.sleep(Math.max(0, waitMs - (clock.now() - startedAtMs)), next.wanted.signal);
    }
    next.ended.resolve();
  }

  await look();
  // A process that was killed a moment ago is taken over before this one serves.
  while (watch.hasSuspects) {
    await clock.sleep(beatMs);
    await look();
  }
  const done = run();
  return {
    get hasOthers() {
      return hasOthers;
    },
    drain() {
      state = "draining";
    },
    refresh() {
      // A look under way may have been sent before the state changed.
      next.wanted.abort();
      return next.ended.promise;
    },
    async list() {
      const rows = await store.query("", statements.list);
      return rows.map((row) => {
        const hears = hearsRedis?.(Number(row.incarnation));
        return {
          incarnation: Number(row.incarnation),
          name: String(row.name),
          isSelf: Number(row.incarnation) === incarnation,
          state: stateOf(row),
          turns: Number(row.turns),
          heartbeatAgeMs: Math.round(heard.ageMs(row)),
          ...(hears === undefined ? {} : { hearsRedis: hears }),
        };
      });
    },
    onCutOff(listener) {
      tellCutOff = listener;
    },
    isCutOff() {
      if (clock.now() >= cutOffAtMs) cutOff();
      return isCutOff;
    },
    async [Symbol.asyncDispose]() {
      const patience = new AbortController();
      // Without a heartbeat, others would take over before the last commits.
      await Promise.race([store.idle(), clock.sleep(leaveLimitMs, patience.signal)]);
      patience.abort();
      stopped.abort();
      next.wanted.abort();
      cancelCutOff();
      await done;
      cancelCutOff();
      await connection.close();
    },
  };
}

/** The look after the one under way. It starts at once when it is wanted. */
function upcomingLook() {
  return { wanted: new AbortController(), ended: Promise.withResolvers<void>() };
}

function toSeen(row: Row): SeenNode {
  return {
    incarnation: Number(row.incarnation),
    beat: Number(row.beat),
    hasFence: row.has_fence === true,
    isConnected: row.is_connected === true,
  };
}

function stateOf({ state }: Row): NodeState["state"] {
  return state === "draining" ? "draining" : "serving";
}

/** Remembers when this node first saw the newest heartbeat of each. */
function createHeartbeatAges(clock: Clock) {
  let newest = new Map<unknown, { readonly beat: unknown; readonly atMs: number }>();
  const known = ({ incarnation, beat }: Row) => {
    const before = newest.get(incarnation);
    return before !== undefined && before.beat === beat ? before : { beat, atMs: clock.now() };
  };
  return {
    note(rows: readonly Row[]): void {
      newest = new Map(rows.map((row) => [row.incarnation, known(row)]));
    },
    ageMs: (row: Row) => clock.now() - known(row).atMs,
  };
}
