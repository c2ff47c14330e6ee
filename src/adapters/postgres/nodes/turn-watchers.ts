import type { Clock } from "../../../ports/clock.ts";
import type { PeerAudience } from "../../../ports/peers.ts";
import type { TurnRecord } from "../../../ports/turn-log.ts";

/** A node that follows a turn says so every second; without that it is forgotten after this time, milliseconds. */
const forgottenMs = 5_000;

interface Watcher {
  untilMs: number;
  readonly unwatch: () => void;
}

/** The nodes that follow turns of this one. */
export interface TurnWatchers {
  note(turn: number, record: TurnRecord, from: number): void;
  forget(turn: number, from: number): void;
  /** Whether another node follows the turn. */
  has(turn: number): boolean;
  /** The nodes that follow the turn. */
  of(turn: number): Iterable<number>;
  /** Forgets nodes that have said nothing for a while. */
  sweep(): void;
}

export function createTurnWatchers(
  clock: Clock,
  audience: () => Pick<PeerAudience, "watch"> | undefined,
): TurnWatchers {
  const watchers = new Map<number, Map<number, Watcher>>();

  function forget(turn: number, from: number): void {
    const nodes = watchers.get(turn);
    nodes?.get(from)?.unwatch();
    nodes?.delete(from);
    if (nodes?.size === 0) watchers.delete(turn);
  }

  return {
    note(turn, { owner, id }, from) {
      const nodes = watchers.get(turn) ?? new Map<number, Watcher>();
      watchers.set(turn, nodes);
      const untilMs = clock.now() + forgottenMs;
      const known = nodes.get(from);
      if (known !== undefined) known.untilMs = untilMs;
      else nodes.set(from, { untilMs, unwatch: audience()?.watch(owner, id) ?? (() => undefined) });
    },
    forget,
    has: (turn) => watchers.has(turn),
    of: (turn) => watchers.get(turn)?.keys() ?? [],
    sweep() {
      const nowMs = clock.now();
      for (const [turn, nodes] of watchers)
        for (const [from, { untilMs }] of nodes) if (untilMs <= nowMs) forget(turn, from);
    },
  };
}
