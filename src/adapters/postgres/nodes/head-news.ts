import { storedVersion } from "../../../ports/stored-version.ts";
import type { StoredSteps } from "../postgres-log.ts";
import type { SentRow } from "./messages.ts";
import type { NodeBus } from "./open-bus.ts";
import type { TurnWatchers } from "./turn-watchers.ts";

/** A turn whose longer rows are read from the database, characters. */
const maxRowChars = 65_536;

/** The turns with new events of one moment. */
interface News {
  head: number;
  readonly rows: SentRow[];
}

/**
 * Returns the function that tells other nodes of the stored events of turns that they follow. Those of one moment travel together: through
 * Redis with their rows, and to each node the ones that it follows, which saves it the read. Else only their numbers go, to all.
 */
export function createHeadNews(
  bus: NodeBus,
  watchers: TurnWatchers,
): (turn: number, head: number, row: StoredSteps) => void {
  const news = new Map<number, News>();

  function tell(): void {
    const all = [...news];
    news.clear();
    if (!bus.carriesRows) {
      bus.send({ type: "heads", heads: all.map(([turn, { head }]) => [turn, head]) });
      return;
    }
    const byNode = new Map<number, SentRow[]>();
    for (const [turn, { rows }] of all)
      for (const node of watchers.of(turn)) byNode.set(node, [...(byNode.get(node) ?? []), ...rows]);
    for (const [node, rows] of byNode) {
      const short = rows.filter(([, , , , steps]) => steps.length <= maxRowChars);
      const long = rows.filter(([, , , , steps]) => steps.length > maxRowChars);
      if (short.length > 0) bus.send({ type: "rows", rows: short }, node);
      if (long.length > 0)
        bus.send({ type: "heads", heads: long.map(([turn, , head]) => [turn, head]) }, node);
    }
  }

  return (turn, head, { firstSeq, steps }) => {
    if (!watchers.has(turn)) return;
    if (news.size === 0) setImmediate(tell);
    const known = news.get(turn) ?? { head, rows: [] };
    news.set(turn, known);
    known.head = head;
    known.rows.push([turn, firstSeq, head, storedVersion, steps]);
  };
}
