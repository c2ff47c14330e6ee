/** Another node, as one look found it. */
export interface SeenNode {
  readonly incarnation: number;
  /** The number of its heartbeats. */
  readonly beat: number;
  /** Others write under its incarnation no more, or never did. */
  readonly hasFence: boolean;
  /** A connection of the node is open. The database notices within milliseconds when a killed process is gone. */
  readonly isConnected: boolean;
}

/** One answered look at all other nodes. Both times are of `Clock.now`, in milliseconds. */
interface Look {
  readonly nodes: readonly SeenNode[];
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
  /** The database has been up for a while, so nodes that live have found it again. */
  readonly isSettled: boolean;
}

/**
 * After this time without an answered heartbeat a node counts as cut off and closes its sockets, milliseconds. It must be shorter than
 * `minWaitMs`, also by two clocks of different speed.
 */
export const cutOffMs = 4_000;
/** A node is dead after this many looks without a new heartbeat. */
const maxLooks = 5;
/** The last of these looks is sent no sooner than this after the first was answered. A slow answer does not count as waiting. */
const minWaitMs = 6_000;
/**
 * A node is also dead after this many looks in a row that find no connection of it and no new heartbeat: a node that lives connects again
 * meanwhile. One without any heartbeat has just started and has no connection yet.
 */
const maxLooksUnconnected = 3;
/**
 * After a failed look no node counts as dead for this time. Nodes find a database that was away at moments that differ by up to 10 s, and
 * then need a heartbeat.
 */
const quietMs = 15_000;

interface Standstill {
  readonly beat: number;
  readonly firstAnsweredAtMs: number;
  looks: number;
  looksUnconnected: number;
}

/** The verdicts of one look, as incarnations. */
interface Verdicts {
  /** Nodes that must write no more: their turns are taken over. Such a node may still live and have sockets. */
  readonly dead: readonly number[];
  /** Nodes without a heartbeat for so long that they have closed their sockets, even if they live: nothing waits for them any more. */
  readonly gone: readonly number[];
  /** Whether a node has lost its fence since the look before: others took it over, or it left. Anyone may claim its turns. */
  readonly hasLost: boolean;
}

/** Tells which nodes are dead, from the looks of one observer. It compares no clocks of different machines. */
interface DeathWatch {
  /** Notes a look. */
  note(look: Look): Verdicts;
  /** Notes a look without an answer. */
  fail(nowMs: number): void;
  /** Whether the next look may find that a node without a connection is dead. One whose heartbeats go on lives. */
  readonly hasSuspects: boolean;
}

export function createDeathWatch(): DeathWatch {
  let still = new Map<number, Standstill>();
  let fenced: readonly number[] = [];
  let quietUntilMs = Number.NEGATIVE_INFINITY;
  let hasSuspects = false;

  /** Its last heartbeat was sent before the first of these looks was answered. */
  function isSilent(seen: Standstill, { sentAtMs }: Look): boolean {
    return (
      sentAtMs >= quietUntilMs && seen.looks >= maxLooks && sentAtMs - seen.firstAnsweredAtMs >= minWaitMs
    );
  }

  function isUnconnected({ looksUnconnected }: Standstill, { sentAtMs }: Look): boolean {
    return sentAtMs >= quietUntilMs && looksUnconnected >= maxLooksUnconnected;
  }

  return {
    get hasSuspects() {
      return hasSuspects;
    },
    note(look) {
      const before = still;
      still = new Map();
      const dead: number[] = [];
      const gone: number[] = [];
      hasSuspects = false;
      for (const node of look.nodes) {
        const { incarnation, beat, hasFence } = node;
        const known = before.get(incarnation);
        const { answeredAtMs: firstAnsweredAtMs } = look;
        const seen =
          known?.beat === beat ? known : { beat, firstAnsweredAtMs, looks: 0, looksUnconnected: 0 };
        const hasNoConnection = !node.isConnected && look.isSettled && beat > 0;
        seen.looks += 1;
        seen.looksUnconnected = hasNoConnection ? seen.looksUnconnected + 1 : 0;
        still.set(incarnation, seen);
        const isSilentNow = isSilent(seen, look);
        if (isSilentNow) gone.push(incarnation);
        if (!hasFence) continue;
        if (isSilentNow || isUnconnected(seen, look)) dead.push(incarnation);
        else if (hasNoConnection && (known === undefined || known === seen)) hasSuspects = true;
      }
      const fencedBefore = fenced;
      fenced = look.nodes.flatMap(({ hasFence, incarnation }) => (hasFence ? [incarnation] : []));
      return { dead, gone, hasLost: fencedBefore.some((one) => !fenced.includes(one)) };
    },
    fail(nowMs) {
      still.clear();
      quietUntilMs = nowMs + quietMs;
    },
  };
}
