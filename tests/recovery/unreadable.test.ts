import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { it } from "node:test";
import { storedVersion } from "../../src/ports/stored-version.ts";
import { createMortalThreads } from "../crash/mortal-threads.ts";
import { openBeside } from "../support/open-beside.ts";
import { textOf } from "../support/wire-client.ts";
import { hanging, whole } from "./half-and-whole.ts";
import { createInterruptedServer, replay } from "./interrupted-server.ts";

const ask = (id: string) => ({
  type: "chat",
  id,
  data: {
    ...{ message: "Hi", persona_id: "teacher", conversation_id: "new", on_interrupt: "restart" },
    pacing: { mode: "raw" },
  },
});

/** One beat of a turn, as JSON: `[turn, firstSeq, events, checkpoints]`. */
type Entry = [turn: unknown, firstSeq: unknown, events: unknown, checkpoints?: unknown];

/** Breaks one turn's row, the beat with its text, or its first beat. */
interface Damage {
  readonly row?: string;
  readonly textBeat?: (entry: Entry) => unknown;
  readonly firstBeat?: string;
  /** The text that its followers are shown. */
  readonly shows: "" | "Half";
}

const withText = (text: unknown) => (entry: Entry) => {
  const events = (entry[2] as Record<string, unknown>[]).map((event) =>
    event.type === "text" ? { ...event, ...(text as object) } : event,
  );
  return [entry[0], entry[1], events];
};
const later = storedVersion + 1;
const interrupted = { type: "failure", error: { troupe_error: "interrupted", retryable: true } };

const damages: Readonly<Record<string, Damage>> = {
  "request-no-json": { row: "request = '{'", shows: "Half" },
  "request-shape": { row: "request = json_set(request, '$.whenInterrupted', 7)", shows: "Half" },
  "request-kind": { row: "request = json_set(request, '$.request.kind', 'song')", shows: "Half" },
  "later-row": { row: `version = ${later}`, shows: "Half" },
  "text-type": { textBeat: withText({ text: 7 }), shows: "" },
  "lane-type": { textBeat: withText({ lane: {} }), shows: "" },
  "event-type": { textBeat: withText({ type: "song" }), shows: "" },
  checkpoint: {
    textBeat: ([turn, firstSeq, events]) => [turn, firstSeq, events, [{ type: "checkpoint" }]],
    shows: "Half",
  },
  "events-type": { textBeat: ([turn, firstSeq]) => [turn, firstSeq, "events"], shows: "" },
  "number-type": { textBeat: ([turn, , events]) => [turn, "2", events], shows: "" },
  "far-number": { textBeat: ([turn, , events]) => [turn, 1e15, events], shows: "" },
  "after-its-end": {
    textBeat: ([turn, firstSeq, events]) => [
      turn,
      firstSeq,
      [...(events as unknown[]), interrupted, interrupted],
    ],
    shows: "Half",
  },
  "beat-no-json": { firstBeat: "entries = '['", shows: "" },
  "beat-shape": { firstBeat: "entries = '{}'", shows: "" },
  "beat-names-no-turn": { firstBeat: "entries = '[[null]]'", shows: "" },
  "later-beat": { firstBeat: `version = ${later}`, shows: "" },
};

function breakTurn(database: DatabaseSync, id: string, { row, textBeat, firstBeat }: Damage): void {
  const number = database.prepare("SELECT number FROM turns WHERE id = ?").get(id)?.number;
  if (row !== undefined) database.exec(`UPDATE turns SET ${row} WHERE number = ${number}`);
  const beats = database
    .prepare("SELECT beat, entries FROM journal ORDER BY beat")
    .all()
    .filter(({ entries }) => String(entries).startsWith(`[[${number},`));
  const [first] = beats;
  const text = beats.find(({ entries }) => String(entries).includes('"text":"Half"'));
  assert.ok(first !== undefined && text !== undefined && first !== text, id);
  if (firstBeat !== undefined) database.exec(`UPDATE journal SET ${firstBeat} WHERE beat = ${first.beat}`);
  if (textBeat === undefined) return;
  const entries = (JSON.parse(String(text.entries)) as Entry[]).map(textBeat);
  database
    .prepare("UPDATE journal SET entries = ? WHERE beat = ?")
    .run(JSON.stringify(entries), text.beat ?? 0);
}

it("a turn with stored content that cannot be read ends as interrupted, and every other one is recovered", async () => {
  using threads = createMortalThreads();
  await using at = await createInterruptedServer();
  const ids = ["before", ...Object.keys(damages), "after"];
  const heads = new Map<string, number>();
  {
    await using server = await at.start({
      providers: { choose: (api) => ({ provider: hanging, api, model: "m" }) },
    });
    const client = await server.connect();
    for (const id of ids) {
      client.send(ask(id));
      const chunk = await client.next((message) => message.type === "chunk" && message.request_id === id);
      heads.set(id, chunk.type === "chunk" ? chunk.seq : 0);
    }
    await threads.die();
  }
  {
    using database = openBeside(at.database);
    for (const [id, damage] of Object.entries(damages)) breakTurn(database, id, damage);
  }
  const faults: string[] = [];
  const nothing = () => undefined;
  await using server = await at.start({
    logger: {
      ...{ debug: nothing, info: nothing, warn: nothing },
      error: (data) => void faults.push(String((data as { err?: unknown }).err)),
    },
    providers: { choose: (api) => ({ provider: whole, api, model: "m" }) },
  });
  const client = await server.connect();
  for (const id of ids) {
    const messages = await replay(client, id);
    const end = messages.at(-1);
    const seqs = messages.map((message) => "seq" in message && message.seq);
    assert.deepEqual(
      seqs,
      seqs.map((_, index) => index + 1),
    );
    const damage = damages[id];
    if (damage === undefined) {
      assert.equal(end?.type, "response", id);
      continue;
    }
    assert.ok(end?.type === "error" && end.code === "interrupted", id);
    assert.equal(textOf(messages), damage.shows, id);
    // No number is given out twice, as far as the journal still tells them.
    if (!["events-type", "number-type", "far-number"].includes(id))
      assert.ok((end.seq ?? 0) > (heads.get(id) ?? Infinity), id);
  }
  const told = faults.filter((fault) => fault.includes("ends as interrupted"));
  assert.deepEqual(
    told.map((fault) => /\((.*)\)/.exec(fault)?.[1]).sort(),
    Object.keys(damages)
      .filter((id) => id !== "after-its-end")
      .sort(),
    "each is reported once, by its name",
  );
  assert.equal(faults.length - told.length, 3, "so is each beat that names no turn");
});
