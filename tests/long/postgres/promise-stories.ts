import { type BrokenPromises, findBroken, wrongSums } from "./broken-promises.ts";
import { emptyDatabase, runOn } from "./open-store.ts";
import { createTimeline, type PlayedFault, readHistory } from "./timeline.ts";
import { noteDeath, watchNodes } from "./watch-nodes.ts";

/** Tokens that a call may use beyond the budget of its key. */
export const reservation = 64;

/** A database with two nodes, the first of which runs a turn, and its provider. */
export async function openRecord() {
  const databaseUrl = await emptyDatabase();
  await watchNodes(databaseUrl);
  const change = (text: string, ...values: unknown[]) => runOn(databaseUrl, text, values);
  await change("INSERT INTO nodes (incarnation, name) VALUES (1, 'node-0'), (2, 'node-1')");
  await change("INSERT INTO fences (incarnation, line, nonce, sent) VALUES (1, 0, 7, 0), (2, 0, 7, 0)");
  await change(`INSERT INTO turns (number, owner, id, content_hash, began_ms, after_seq, version, node)
    VALUES (1, 'ada', 'asked', '', 0, 0, 1, 1)`);
  const requests: { id: string; key: string; atMs: number }[] = [];
  const cancelled: { id: string; key: string; atMs: number }[] = [];
  const cancels: { id: string; atMs: number }[] = [];
  const faults: PlayedFault[] = [];
  return {
    ...{ databaseUrl, change, requests, cancelled, cancels, faults },
    /** The node with this incarnation looks so often. */
    async look(count: number, incarnation = 2) {
      for (let looks = 0; looks < count; looks += 1)
        await change("UPDATE nodes SET beat = beat + 1 WHERE incarnation = $1", incarnation);
    },
    async die() {
      await noteDeath(databaseUrl, "node-0");
    },
    takeOver: () => change("DELETE FROM fences WHERE incarnation = 1"),
    claim: (node: number | null) => change("UPDATE turns SET node = $1", node),
    async broken(): Promise<(keyof BrokenPromises)[]> {
      const timeline = createTimeline(await readHistory(databaseUrl, faults));
      const guests = { afterRevocation: [], reusedTickets: [] };
      const evidence = {
        databaseUrl,
        timeline,
        cancels,
        gaps: [],
        upstream: { requests, cancelled },
        guests,
      };
      const broken = await findBroken({
        ...evidence,
        reservation,
        foreign: [],
        sums: await wrongSums(databaseUrl),
      });
      const promises = Object.keys(broken) as (keyof BrokenPromises)[];
      return promises.filter((promise) => broken[promise].length > 0);
    },
  };
}

type Recorded = Awaited<ReturnType<typeof openRecord>>;

async function insertMessages({ change }: Recorded): Promise<void> {
  await change(
    "INSERT INTO conversations (id, owner, created_at_ms, updated_at_ms) VALUES ('talk', 'ada', 0, 0)",
  );
  for (const id of ["first", "second"])
    await change(
      `INSERT INTO messages (id, conversation_id, owner, role, content, chars, path_chars, status, created_at_ms)
        VALUES ($1, 'talk', 'ada', 'assistant', '', 0, 0, 'completed', 0)`,
      id,
    );
}

async function spend({ change }: Recorded, tokens: number): Promise<void> {
  await change(
    `INSERT INTO keys (id, digest, owner, created_at_ms, tokens_per_day) VALUES ('key', 'd', 'ada', 0, 600)`,
  );
  await change(
    `INSERT INTO usage (id, owner, key_id, call, api, model, day, at_ms, input_tokens, output_tokens, estimated, node)
      VALUES ('call', 'ada', 'key', 0, 'responses', 'm', 1, 0, 100, $1, false, 1)`,
    tokens - 100,
  );
}

const cutSlice =
  "INSERT INTO purse_slices (day, name, incarnation, amount, used, spent) VALUES (1, 'key key', 1, 300, $1, 200)";

interface Story {
  readonly name: string;
  readonly play: (record: Recorded) => Promise<unknown>;
  /** The promises that are broken in it. Default: none. */
  readonly breaks?: readonly (keyof BrokenPromises)[];
}

/** Each promise is kept and broken once. */
export const stories: readonly Story[] = [
  {
    name: "a turn is claimed 10 looks after its node's death",
    async play({ look, die, takeOver, claim }) {
      await die();
      await look(6);
      await takeOver();
      await look(4);
      await claim(2);
    },
  },
  {
    name: "a turn is claimed 11 looks after its node's death",
    async play({ look, die, takeOver, claim }) {
      await die();
      await look(11);
      await takeOver();
      await claim(2);
    },
    breaks: ["unowned"],
  },
  {
    name: "a turn is claimed 25 looks after an outage of the database",
    async play({ look, die, takeOver, claim, faults }) {
      await die();
      await look(3);
      faults.push({ kind: "restart of the database", beganMs: Date.now() - 10, endedMs: Date.now() });
      await look(25);
      await takeOver();
      await claim(2);
    },
  },
  {
    name: "a turn is claimed 26 looks after an outage of the database",
    async play({ look, die, takeOver, claim, faults }) {
      faults.push({ kind: "restart of the database", beganMs: Date.now() - 10, endedMs: Date.now() });
      await die();
      await look(26);
      await takeOver();
      await claim(2);
    },
    breaks: ["unowned"],
  },
  {
    name: "a turn that was let go is claimed late",
    async play({ look, claim }) {
      await claim(0);
      await look(11);
      await claim(2);
    },
    breaks: ["unowned"],
  },
  {
    name: "a call begins soon after its cancel, and the turn ends",
    async play({ look, claim, cancels, requests }) {
      cancels.push({ id: "asked", atMs: Date.now() });
      await look(3);
      requests.push({ id: "asked", key: "node-0", atMs: Date.now() });
      await claim(null);
    },
  },
  {
    name: "a call begins after its cancel is known everywhere",
    async play({ look, claim, cancels, requests }) {
      cancels.push({ id: "asked", atMs: Date.now() - 1 });
      await look(4);
      requests.push({ id: "asked", key: "node-0", atMs: Date.now() + 1 });
      await claim(null);
    },
    breaks: ["afterCancel"],
  },
  {
    name: "a cancelled turn does not end",
    async play({ look, claim, cancels }) {
      cancels.push({ id: "asked", atMs: Date.now() - 1 });
      await look(11);
      await claim(null);
    },
    breaks: ["afterCancel"],
  },
  {
    name: "a node cancels at the provider and is then taken over",
    async play({ look, takeOver, cancelled }) {
      cancelled.push({ id: "asked", key: "node-0", atMs: Date.now() });
      await takeOver();
      await look(5);
    },
  },
  {
    name: "a node cancels at the provider after it was taken over",
    async play({ look, takeOver, cancelled }) {
      await takeOver();
      await look(2);
      cancelled.push({ id: "asked", key: "node-0", atMs: Date.now() + 1 });
    },
    breaks: ["fencelessCancels"],
  },
  { name: "a key has used its cap and a reservation", play: (record) => spend(record, 600 + reservation) },
  {
    name: "a key has used more than its cap and a reservation",
    play: (record) => spend(record, 601 + reservation),
    breaks: ["overspent"],
  },
  {
    name: "the slices of a budget add up to its usage",
    async play(record) {
      await spend(record, 300);
      await record.change("INSERT INTO purses (day, name, spent) VALUES (1, 'key key', 100)");
      await record.change(cutSlice, 250);
    },
  },
  {
    name: "the slices of a budget do not add up to its usage",
    async play(record) {
      await spend(record, 310);
      await record.change("INSERT INTO purses (day, name, spent) VALUES (1, 'key key', 100)");
      await record.change(cutSlice, 250);
    },
    breaks: ["overspent"],
  },
  { name: "a slice is larger than the part in use", play: ({ change }) => change(cutSlice, 250) },
  {
    name: "a slice is smaller than the part in use",
    play: ({ change }) => change(cutSlice, 350),
    breaks: ["overspent"],
  },
  {
    name: "a slice of a dead node is returned within 10 looks",
    async play({ change, look, takeOver }) {
      await change(cutSlice, 250);
      await takeOver();
      await look(10);
      await change("DELETE FROM purse_slices");
    },
  },
  {
    name: "a slice of a dead node stays",
    async play({ change, look, takeOver }) {
      await change(cutSlice, 250);
      await takeOver();
      await look(12);
    },
    breaks: ["overspent"],
  },
  {
    name: "the head of a conversation moves on",
    async play(record) {
      await insertMessages(record);
      for (const head of ["first", "second"])
        await record.change("UPDATE conversations SET head_id = $1", head);
    },
  },
  {
    name: "the head of a conversation moves back",
    async play(record) {
      await insertMessages(record);
      for (const head of ["second", "first"])
        await record.change("UPDATE conversations SET head_id = $1", head);
    },
    breaks: ["movedBack"],
  },
];
