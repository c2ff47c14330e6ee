import { openBeside } from "../support/open-beside.ts";
/** Reads the journal of a running server, without the server's own code. */
export interface JournalReader extends Disposable {
  /** Whether the database already holds the event with this number. */
  holds(requestId: string, seq: number): boolean;
}

export function createJournalReader(file: string): JournalReader {
  const database = openBeside(file, { readOnly: true });
  const turns = database.prepare("SELECT number, id FROM turns");
  const beats = database.prepare("SELECT beat, entries FROM journal WHERE beat > ? ORDER BY beat");
  const numbers = new Map<string, number>();
  const lastSeqs = new Map<number, number>();
  let lastBeat = 0;

  const isKnown = (requestId: string, seq: number) =>
    (lastSeqs.get(numbers.get(requestId) ?? -1) ?? 0) >= seq;

  function read(): void {
    for (const { number, id } of turns.all()) numbers.set(String(id), Number(number));
    for (const { beat, entries } of beats.all(lastBeat)) {
      lastBeat = Number(beat);
      for (const [turn, firstSeq, events] of JSON.parse(String(entries)) as [number, number, unknown[]][])
        lastSeqs.set(turn, firstSeq + events.length - 1);
    }
  }

  return {
    holds(requestId, seq) {
      if (!isKnown(requestId, seq)) read();
      return isKnown(requestId, seq);
    },
    [Symbol.dispose]: () => database.close(),
  };
}
