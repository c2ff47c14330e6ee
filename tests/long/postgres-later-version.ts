import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import pg from "pg";
import { storedVersion } from "../../src/ports/stored-version.ts";
import { chat, isChunk, wholeText } from "../cluster/gated-cluster.ts";
import { textOf, type WireClient } from "../support/wire-client.ts";
import { startGatedNodes } from "./postgres/gated-nodes.ts";
import { runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

type System = Awaited<ReturnType<typeof startGatedNodes>>;

/** A node that exists only in the messages of the test. */
const strangerIncarnation = 1_000_000;

/** Speaks to the nodes as one of a later version. */
async function openStranger(databaseUrl: string) {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  await client.query("LISTEN troupe");
  return {
    say: (message: object) =>
      client.query("SELECT pg_notify('troupe', $1)", [
        JSON.stringify({ from: strangerIncarnation, epoch: 7, message }),
      ]),
    /** Settles with the refusal, or `null`, once a node has answered this call of it. */
    answered: (call: number) =>
      new Promise<unknown>((resolve) =>
        client.on("notification", ({ payload = "" }) => {
          const { message } = JSON.parse(payload);
          if (message.type === "cancelled" && message.to === strangerIncarnation && message.call === call)
            resolve(message.refusal);
        }),
      ),
    [Symbol.asyncDispose]: () => client.end(),
  };
}

/** A request of which the first node shows a part. */
async function begin({ first }: System, id: string, data: object = {}): Promise<WireClient> {
  const client = await first.connect();
  client.send(chat(id, data));
  await client.next(isChunk);
  return client;
}

async function numberOf({ databaseUrl }: System, id: string): Promise<number> {
  const [row] = await runOn(databaseUrl, "SELECT number::int FROM turns WHERE id = $1", [id]);
  return Number(row?.number);
}

describe("a node beside one of a later version", withPostgres, () => {
  after(stopShared);

  it("passes over messages of unknown kinds, and unknown fields of known ones", async () => {
    await using system = await startGatedNodes();
    await using stranger = await openStranger(system.databaseUrl);
    const asking = await begin(system, "stopped");
    const turn = await numberOf(system, "stopped");
    const answered = stranger.answered(1);
    await stranger.say({ type: "features", names: ["songs"] });
    await stranger.say({ type: "heads", heads: "all" });
    await stranger.say({ type: "cancel", turn, personaId: null, call: 1, urgency: "high" });
    assert.equal(await answered, null);
    const end = (await asking.untilTerminal("stopped")).at(-1);
    assert.ok(end?.type === "response" && end.status === "cancelled");
  });

  it("starts and serves on a schema with further steps that add columns and tables", async () => {
    await using system = await startGatedNodes();
    await runOn(
      system.databaseUrl,
      `CREATE TABLE songs (number bigint PRIMARY KEY);
      ALTER TABLE turns ADD COLUMN song int NOT NULL DEFAULT 7;
      ALTER TABLE events ADD COLUMN song text;
      ALTER TABLE nodes ADD COLUMN features text[] NOT NULL DEFAULT '{}';
      INSERT INTO schema_steps (step, needs) SELECT max(step) + 1, max(needs) FROM schema_steps`,
    );
    const before = await begin(system, "before");
    await using started = await startGatedNodes({ databaseUrl: system.databaseUrl });
    const follower = await started.first.connect();
    follower.send({ type: "resume", data: { request_id: "before", after_seq: 0 } });
    system.gate.open();
    started.gate.open();
    for (const client of [before, follower]) {
      await client.untilTerminal("before");
      assert.equal(textOf(client.received), wholeText);
    }
  });

  it("gives the events that it can read, and then an error that sends the client to another node", async () => {
    await using system = await startGatedNodes();
    const asking = await begin(system, "later");
    const turn = await numberOf(system, "later");
    system.gate.open();
    await asking.untilTerminal("later");
    const [row] = await runOn(
      system.databaseUrl,
      `SELECT first_seq FROM events WHERE turn = ${turn} ORDER BY first_seq OFFSET 1 LIMIT 1`,
    );
    const readable = Number(row?.first_seq) - 1;
    // As if a node that the test does not have were still writing it.
    await runOn(
      system.databaseUrl,
      `INSERT INTO fences (incarnation, line, nonce, sent) VALUES (${strangerIncarnation}, 0, 0, 0);
      UPDATE events SET version = ${storedVersion + 1} WHERE turn = ${turn} AND first_seq > ${readable};
      UPDATE turns SET ended_ms = NULL, node = ${strangerIncarnation} WHERE number = ${turn}`,
    );
    const follower = await system.second.connect();
    follower.send({ type: "resume", data: { request_id: "later", after_seq: 0 } });
    const error = await follower.next(({ type }) => type === "error");
    assert.deepEqual(follower.received.slice(1, -1), asking.received.slice(0, readable));
    assert.ok(readable > 0 && error.type === "error" && error.code === "internal_error" && error.retryable);
    assert.deepEqual([error.request_id, error.seq, error.in_reply_to], ["later", undefined, undefined]);
    assert.match(error.message, /Resume it at another server/);
  });

  it("refuses an ended turn that it cannot read, and makes up no end", async () => {
    await using system = await startGatedNodes();
    const asking = await begin(system, "ended");
    system.gate.open();
    await asking.untilTerminal("ended");
    const ended = "UPDATE turns SET version";
    await runOn(system.databaseUrl, `${ended} = ${storedVersion + 1} WHERE id = 'ended'`);
    const follower = await system.second.connect();
    const resume = { type: "resume", data: { request_id: "ended", after_seq: 3 } };
    for (const frame of [resume, chat("ended")]) {
      follower.send(frame);
      const error = await follower.next(({ type }) => type === "error");
      assert.ok(error.type === "error" && error.code === "internal_error" && error.retryable);
      assert.equal(error.in_reply_to?.type, frame.type);
    }
    assert.equal(system.upstream.requests.length, 1);
    // Rows of a later release beside an answer of this one: the answer is given.
    await runOn(system.databaseUrl, `${ended} = ${storedVersion} WHERE id = 'ended'`);
    await runOn(system.databaseUrl, `UPDATE events SET version = ${storedVersion + 1}`);
    follower.send({ ...resume, data: { ...resume.data, after_seq: 0 } });
    const end = (await follower.untilTerminal("ended")).at(-1);
    assert.deepEqual(end, asking.received.at(-1));
  });

  it("ends the turns of a dead node that it cannot read, goes on with the others, and keeps all numbers", async () => {
    await using system = await startGatedNodes();
    const restart = { on_interrupt: "restart" };
    for (const id of ["readable", "later-request", "later-events"]) await begin(system, id, restart);
    const later = storedVersion + 1;
    await runOn(
      system.databaseUrl,
      `UPDATE turns SET version = ${later} WHERE id = 'later-request';
      UPDATE events SET version = ${later} WHERE turn = (SELECT number FROM turns WHERE id = 'later-events');
      DELETE FROM fences WHERE incarnation = (SELECT node FROM turns WHERE id = 'readable')`,
    );
    system.gate.open();
    const reader = await system.second.connect();
    const read = async (id: string) => {
      reader.send({ type: "resume", data: { request_id: id, after_seq: 0 } });
      const messages = (await reader.untilTerminal(id)).filter((message) => "seq" in message);
      assert.deepEqual(
        messages.map((message) => "seq" in message && message.seq),
        messages.map((_, index) => index + 1),
      );
      return messages;
    };
    const whole = await read("readable");
    assert.equal(whole.at(-1)?.type, "response");
    for (const id of ["later-request", "later-events"]) {
      const end = (await read(id)).at(-1);
      assert.ok(end?.type === "error" && end.code === "interrupted", id);
    }
  });
});
