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

/** The turns of other nodes that are followed here. One statement reads for all of their readers. */
export class WatchList {
  readonly #store: PostgresStore;
  readonly #clock: Clock;
  readonly #readEnded: WatchListOptions["readEnded"];
  readonly #onChange: WatchListOptions["onChange"];
  readonly #watched = new Map<number, Watched>();
  readonly #waiting = new Map<string, Place>();
  readonly #due = new Set<string>();
  /** Places whose turn has ended, while its answer is read. */
  readonly #restoring = new Set<Place>();
  #isReading = false;
  #isPolling = false;

  constructor({ store, clock, readEnded, onChange }: WatchListOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#readEnded = readEnded;
    this.#onChange = onChange;
  }

  /** The turns that have readers. */
  get turns(): Iterable<number> {
    return this.#watched.keys();
  }

  open(turn: number, after: number, wake: () => void): LogReader {
    const known = this.#watched.get(turn);
    if (known === undefined) {
      this.#watched.set(turn, { readers: 1, head: 0 });
      this.#onChange?.(turn, true);
    } else known.readers += 1;
    const wait = (reader: RowReader) => this.#wait(reader);
    const leave = (reader: RowReader) => this.#leave(reader);
    return new RowReader(turn, after, wake, { wait, leave });
  }

  /** The turn has events up to this number. */
  noteHead(turn: number, head: number): void {
    const known = this.#watched.get(turn);
    if (known === undefined || known.head >= head) return;
    known.head = head;
    for (const [key, place] of this.#waiting)
      if (place.turn === turn && place.position < head) this.#due.add(key);
    this.#start();
  }

  /** The same, with the row that has the last of these events. Readers that wait for it get it without a read. */
  noteRow([turn, firstSeq, head, version, steps]: SentRow): void {
    const place = this.#waiting.get(keyOf({ turn, position: firstSeq - 1, isAtRow: true }));
    const events = place && eventsOfMessage(version, steps);
    const last = events?.at(-1);
    // A row that cannot be read here is read, and reported, as it is stored.
    if (place !== undefined && events?.length === head - firstSeq + 1 && last !== undefined)
      this.#deliver(place, events, last);
    this.noteHead(turn, head);
  }

  #wait(reader: RowReader): void {
    const key = keyOf(reader);
    const { turn, position, isAtRow } = reader;
    const place = this.#waiting.get(key) ?? {
      turn,
      position,
      isAtRow,
      sinceMs: this.#clock.now(),
      readers: new Set(),
    };
    this.#waiting.set(key, place);
    place.readers.add(reader);
    if (!isAtRow || position < (this.#watched.get(turn)?.head ?? 0)) this.#read(key);
    else this.#poll();
  }

  #leave(reader: RowReader): void {
    const key = keyOf(reader);
    const place = this.#waiting.get(key);
    if (place?.readers.delete(reader) === true && place.readers.size === 0) this.#waiting.delete(key);
    const turn = this.#watched.get(reader.turn);
    if (turn === undefined) return;
    turn.readers -= 1;
    if (turn.readers > 0) return;
    this.#watched.delete(reader.turn);
    this.#onChange?.(reader.turn, false);
  }

  #poll(): void {
    if (this.#isPolling || this.#store.closing.aborted) return;
    this.#isPolling = true;
    void this.#clock.sleep(pollMs, this.#store.closing).then(() => {
      this.#isPolling = false;
      if (this.#store.closing.aborted || this.#waiting.size === 0) return;
      const untilMs = this.#clock.now() - pollMs;
      for (const [key, { sinceMs }] of this.#waiting) if (sinceMs <= untilMs) this.#due.add(key);
      this.#start();
      this.#poll();
    });
  }

  #read(key: string): void {
    this.#due.add(key);
    this.#start();
  }

  #start(): void {
    if (this.#due.size === 0 || this.#isReading || this.#store.closing.aborted) return;
    this.#isReading = true;
    void this.#readAll().finally(() => {
      this.#isReading = false;
      this.#start();
    });
  }

  async #readAll(): Promise<void> {
    // Readers of the same moment share the statement.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const keys = [...this.#due].slice(0, maxPlaces);
    for (const key of keys) this.#due.delete(key);
    const places = keys.flatMap((key) => this.#waiting.get(key) ?? []);
    if (places.length === 0 || this.#store.closing.aborted) return;
    const column = (of: (place: Place) => number | boolean) => `{${places.map(of).join(",")}}`;
    try {
      const rows = await this.#store.queryInTurn("", statements.readPlaces, [
        column(({ turn }) => turn),
        column(({ position }) => position),
        column(({ isAtRow }) => isAtRow),
      ]);
      const byPlace = Map.groupBy(rows, ({ place }) => Number(place) - 1);
      for (const [index, place] of places.entries()) this.#give(place, byPlace.get(index) ?? []);
    } catch (fault) {
      if (this.#store.closing.aborted) return;
      this.#store.report(fault);
      this.#poll();
    }
  }

  /** Readers of a place are given its events once, though a message and a read may both bring them. */
  #take(place: Place): RowReader[] {
    const { readers } = place;
    const key = keyOf(place);
    const all = [...readers];
    readers.clear();
    if (this.#waiting.get(key) === place) this.#waiting.delete(key);
    return all;
  }

  #deliver(place: Place, events: readonly TurnEvent[], last: TurnEvent): void {
    const readers = this.#take(place);
    for (const reader of readers) reader.deliver(events, isTerminal(last), readers.length > 1);
  }

  #give(place: Place, rows: readonly Row[]): void {
    const [first] = rows;
    const events: TurnEvent[] = [];
    let isCut = false;
    let isLater = false;
    for (const row of rows) {
      if (row.first_seq === null) continue;
      isLater = isOfLaterRelease(row);
      if (isLater) break;
      const missing = Number(row.first_seq) - 1 - place.position - events.length;
      const read = eventsOfRow(row, this.#store.report);
      if (missing > 0) {
        for (const reader of this.#take(place))
          reader.fail(new Error(`events of turn ${place.turn} are missing`));
        return;
      }
      events.push(...(missing < 0 ? read.slice(-missing) : read));
      isCut = row.is_cut === true;
    }
    const turn = this.#watched.get(place.turn);
    const last = events.at(-1);
    if (last !== undefined) {
      // After a read that was cut there is at least one more event.
      const head = place.position + events.length + (isCut || isLater ? 1 : 0);
      if (turn !== undefined) turn.head = Math.max(turn.head, head);
      this.#deliver(place, events, last);
    } else if (isLater) {
      for (const reader of this.#take(place)) reader.fail(laterRelease());
    } else if (first?.is_there !== true || (first.has_ended === true && first.has_log === true)) {
      for (const reader of this.#take(place)) reader.end();
    } else if (first.has_ended === true) void this.#restore(place);
    else this.#poll();
  }

  async #restore(place: Place): Promise<void> {
    if (this.#restoring.has(place)) return;
    this.#restoring.add(place);
    try {
      const log = await this.#readEnded(place.turn);
      for (const reader of this.#take(place))
        if (log === undefined) reader.end();
        else reader.goOnIn(log);
    } catch (fault) {
      // The database is away, and the place is read again until it is back.
      if (isStorageUnavailable(fault)) this.#poll();
      else for (const reader of this.#take(place)) reader.fail(fault);
    } finally {
      this.#restoring.delete(place);
    }
  }
}

function keyOf({ turn, position, isAtRow }: Pick<Place, "turn" | "position" | "isAtRow">): string {
  return `${turn} ${position} ${isAtRow}`;
}
