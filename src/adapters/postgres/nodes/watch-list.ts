import type { Clock } from "../../../ports/clock.ts";
import { isTerminal, type TurnEvent } from "../../../ports/turn-event.ts";
import type { LogReader, TurnLog } from "../../../ports/turn-log.ts";
import { isStorageUnavailable } from "../../../protocol/errors.ts";
import type { Row } from "../../database/row.ts";
import { named } from "../connection.ts";
import type { PostgresStore } from "../postgres-store.ts";
import { eventsOfMessage, eventsOfRow, isOfLaterRelease, laterRelease } from "../turn-rows.ts";
import type { SentRow } from "./messages.ts";
import { RowReader } from "./row-reader.ts";

/** A place without a message is read after this time all the same, milliseconds: the message may be lost. */
const pollMs = 250;
/** Maximum places of one statement. */
const maxPlaces = 100;
/** Maximum rows of one place, and maximum characters of all but the last of them. */
const maxRows = 64;
const maxChars = 65_536;

const statements = named({
  // A place in the middle of a row starts with that row. One statement sees the events and the end of a turn as of the same moment.
  readPlaces: `SELECT place::int, r.first_seq, r.version, r.steps, r.is_cut, t.number IS NOT NULL AS is_there, t.ended_ms IS NOT NULL AS has_ended, t.has_log
    FROM unnest($1::bigint[], $2::int[], $3::boolean[]) WITH ORDINALITY AS w (turn, position, is_at_row, place)
    LEFT JOIN turns t ON t.number = w.turn
    LEFT JOIN LATERAL (
      SELECT * FROM (
        SELECT *, sum(length(steps)) OVER (ORDER BY first_seq) - length(steps) AS chars_before,
          row_number() OVER (ORDER BY first_seq) = ${maxRows} OR sum(length(steps)) OVER (ORDER BY first_seq) >= ${maxChars} AS is_cut
        FROM (
          SELECT first_seq, version, steps FROM events e WHERE e.turn = w.turn AND part = 0 AND first_seq >= CASE WHEN is_at_row
            THEN position + 1
            ELSE coalesce((SELECT max(first_seq) FROM events b WHERE b.turn = w.turn AND part = 0 AND first_seq <= position + 1), 0) END
          ORDER BY first_seq LIMIT ${maxRows}) AS lot) AS sized
      WHERE chars_before < ${maxChars}) AS r ON true
    ORDER BY place, r.first_seq`,
});

interface WatchListOptions {
  readonly store: PostgresStore;
  readonly clock: Clock;
  /** The log of an ended turn whose events are no longer stored; `undefined` if the turn is gone. */
  readonly readEnded: (turn: number) => Promise<TurnLog | undefined>;
  /** Called when the first reader of a turn comes, and when the last one has gone. */
  readonly onChange?: (turn: number, isWatched: boolean) => void;
}

/** The turns of other nodes that are followed here. One statement reads for all of their readers. */
interface WatchList {
  open(turn: number, after: number, wake: () => void): LogReader;
  /** The turn has events up to this number. */
  noteHead(turn: number, head: number): void;
  /** The same, with the row that has the last of these events. Readers that wait for it get it without a read. */
  noteRow(row: SentRow): void;
  /** The turns that have readers. */
  readonly turns: Iterable<number>;
}

/** Readers of one turn that wait at the same position. */
interface Place {
  readonly turn: number;
  readonly position: number;
  readonly isAtRow: boolean;
  readonly sinceMs: number;
  readonly readers: Set<RowReader>;
}

/** A followed turn. */
interface Watched {
  readers: number;
  /** The last number that is known to be stored. */
  head: number;
}

export function createWatchList({ store, clock, readEnded, onChange }: WatchListOptions): WatchList {
  const watched = new Map<number, Watched>();
  const waiting = new Map<string, Place>();
  const due = new Set<string>();
  /** Places whose turn has ended, while its answer is read. */
  const restoring = new Set<Place>();
  let isReading = false;
  let isPolling = false;

  function keyOf({ turn, position, isAtRow }: RowReader): string {
    return `${turn} ${position} ${isAtRow}`;
  }

  function wait(reader: RowReader): void {
    const key = keyOf(reader);
    const { turn, position, isAtRow } = reader;
    const place = waiting.get(key) ?? { turn, position, isAtRow, sinceMs: clock.now(), readers: new Set() };
    waiting.set(key, place);
    place.readers.add(reader);
    if (!isAtRow || position < (watched.get(turn)?.head ?? 0)) read(key);
    else poll();
  }

  function leave(reader: RowReader): void {
    const key = keyOf(reader);
    const place = waiting.get(key);
    if (place?.readers.delete(reader) === true && place.readers.size === 0) waiting.delete(key);
    const turn = watched.get(reader.turn);
    if (turn === undefined) return;
    turn.readers -= 1;
    if (turn.readers > 0) return;
    watched.delete(reader.turn);
    onChange?.(reader.turn, false);
  }

  function poll(): void {
    if (isPolling || store.closing.aborted) return;
    isPolling = true;
    void clock.sleep(pollMs, store.closing).then(() => {
      isPolling = false;
      if (store.closing.aborted || waiting.size === 0) return;
      const untilMs = clock.now() - pollMs;
      for (const [key, { sinceMs }] of waiting) if (sinceMs <= untilMs) due.add(key);
      start();
      poll();
    });
  }

  function read(key: string): void {
    due.add(key);
    start();
  }

  function start(): void {
    if (due.size === 0 || isReading || store.closing.aborted) return;
    isReading = true;
    void readAll().finally(() => {
      isReading = false;
      start();
    });
  }

  async function readAll(): Promise<void> {
    // Readers of the same moment share the statement.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const keys = [...due].slice(0, maxPlaces);
    for (const key of keys) due.delete(key);
    const places = keys.flatMap((key) => waiting.get(key) ?? []);
    if (places.length === 0 || store.closing.aborted) return;
    const column = (of: (place: Place) => number | boolean) => `{${places.map(of).join(",")}}`;
    try {
      const rows = await store.queryInTurn("", statements.readPlaces, [
        column(({ turn }) => turn),
        column(({ position }) => position),
        column(({ isAtRow }) => isAtRow),
      ]);
      const byPlace = Map.groupBy(rows, ({ place }) => Number(place) - 1);
      for (const [index, place] of places.entries()) give(place, byPlace.get(index) ?? []);
    } catch (fault) {
      if (store.closing.aborted) return;
      store.report(fault);
      poll();
    }
  }

  /** Readers of a place are given its events once, though a message and a read may both bring them. */
  function take(place: Place): RowReader[] {
    const { turn, position, isAtRow, readers } = place;
    const key = `${turn} ${position} ${isAtRow}`;
    const all = [...readers];
    readers.clear();
    if (waiting.get(key) === place) waiting.delete(key);
    return all;
  }

  function deliver(place: Place, events: readonly TurnEvent[], last: TurnEvent): void {
    const readers = take(place);
    for (const reader of readers) reader.deliver(events, isTerminal(last), readers.length > 1);
  }

  function noteHead(turn: number, head: number): void {
    const known = watched.get(turn);
    if (known === undefined || known.head >= head) return;
    known.head = head;
    for (const [key, place] of waiting) if (place.turn === turn && place.position < head) due.add(key);
    start();
  }

  function noteRow([turn, firstSeq, head, version, steps]: SentRow): void {
    const place = waiting.get(`${turn} ${firstSeq - 1} true`);
    const events = place && eventsOfMessage(version, steps);
    const last = events?.at(-1);
    // A row that cannot be read here is read, and reported, as it is stored.
    if (place !== undefined && events?.length === head - firstSeq + 1 && last !== undefined)
      deliver(place, events, last);
    noteHead(turn, head);
  }

  function give(place: Place, rows: readonly Row[]): void {
    const [first] = rows;
    const events: TurnEvent[] = [];
    let isCut = false;
    let isLater = false;
    for (const row of rows) {
      if (row.first_seq === null) continue;
      isLater = isOfLaterRelease(row);
      if (isLater) break;
      const missing = Number(row.first_seq) - 1 - place.position - events.length;
      const read = eventsOfRow(row, store.report);
      if (missing > 0) {
        for (const reader of take(place)) reader.fail(new Error(`events of turn ${place.turn} are missing`));
        return;
      }
      events.push(...(missing < 0 ? read.slice(-missing) : read));
      isCut = row.is_cut === true;
    }
    const turn = watched.get(place.turn);
    const last = events.at(-1);
    if (last !== undefined) {
      // After a read that was cut there is at least one more event.
      const head = place.position + events.length + (isCut || isLater ? 1 : 0);
      if (turn !== undefined) turn.head = Math.max(turn.head, head);
      deliver(place, events, last);
    } else if (isLater) {
      for (const reader of take(place)) reader.fail(laterRelease());
    } else if (first?.is_there !== true || (first.has_ended === true && first.has_log === true)) {
      for (const reader of take(place)) reader.end();
    } else if (first.has_ended === true) void restore(place);
    else poll();
  }

  async function restore(place: Place): Promise<void> {
    if (restoring.has(place)) return;
    restoring.add(place);
    try {
      const log = await readEnded(place.turn);
      for (const reader of take(place))
        if (log === undefined) reader.end();
        else reader.goOnIn(log);
    } catch (fault) {
      // The database is away, and the place is read again until it is back.
      if (isStorageUnavailable(fault)) poll();
      else for (const reader of take(place)) reader.fail(fault);
    } finally {
      restoring.delete(place);
    }
  }

  return {
    get turns() {
      return watched.keys();
    },
    open(turn, after, wake) {
      const known = watched.get(turn);
      if (known === undefined) {
        watched.set(turn, { readers: 1, head: 0 });
        onChange?.(turn, true);
      } else known.readers += 1;
      return new RowReader(turn, after, wake, { wait, leave });
    },
    noteHead,
    noteRow,
  };
}
