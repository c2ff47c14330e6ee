import assert from "node:assert/strict";
import { hostname } from "node:os";
import { after, describe, it } from "node:test";
import { chat, events, isChunk, wholeText } from "../cluster/gated-cluster.ts";
import { aMoment, onLinux, startProcesses } from "../cluster/start-processes.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { freePort } from "../support/free-port.ts";
import { adminKey, bearer } from "../support/key-system.ts";
import { connect, textOf, type WireClient } from "../support/wire-client.ts";
import { emptyDatabase, runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

/** A server with two workers on a database of its own, and a provider that stops in the middle of its answer until the gate opens. */
async function startWorkers(variables: Readonly<Record<string, string>> = {}) {
  const gate = createGate();
  const script = streamScript(events);
  const databaseUrl = variables.TROUPE_DATABASE_URL ?? (await emptyDatabase());
  const gated = [...script.slice(0, 7), { waitFor: gate.opened }, ...script.slice(7)];
  return {
    ...(await startProcesses(gated, { TROUPE_DATABASE_URL: databaseUrl, ...variables })),
    ...{ gate, databaseUrl },
  };
}

type System = Awaited<ReturnType<typeof startWorkers>>;

interface ListedNode {
  readonly incarnation: number;
  readonly name: string;
  readonly state: string;
}

/** The list of nodes of any worker that answers. */
async function listNodes({ server }: System): Promise<readonly ListedNode[]> {
  const url = new URL("/api/admin/nodes", server.url?.replace("ws", "http"));
  for (;;) {
    try {
      const headers = { ...bearer(adminKey).headers, connection: "close" };
      const answer = await fetch(url, { headers, signal: AbortSignal.timeout(1_000) });
      return ((await answer.json()) as { nodes: ListedNode[] }).nodes;
    } catch {
      await aMoment();
    }
  }
}

/** Waits until the worker's node is another one than `before`, and returns it. */
async function nodeOf(system: System, worker: number, before?: ListedNode): Promise<ListedNode> {
  for (;;) {
    const found = (await listNodes(system)).find(({ name }) => name === `${hostname()}/${worker}`);
    if (found !== undefined && found.incarnation !== before?.incarnation) return found;
    await aMoment();
  }
}

async function begin(client: WireClient, id: string): Promise<void> {
  client.send(chat(id));
  await client.next((message) => isChunk(message) && "request_id" in message && message.request_id === id);
}

const skip = withPostgres.skip || onLinux.skip;

describe("workers on PostgreSQL", { skip }, () => {
  after(stopShared);

  it("go on with each other's requests when one is killed, and their metrics are added up", async () => {
    const metricsPort = await freePort();
    await using system = await startWorkers({ TROUPE_METRICS_PORT: String(metricsPort) });
    const metrics = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    const { first, clients } = await system.connectBoth();
    const [asking, other] = clients;
    await begin(asking, "cut");
    await begin(other, "kept");
    const started = /^troupe_turns_started_total\{kind="persona".*\} 2$/m;
    const before = await metrics();
    assert.match(before, started);
    assert.match(before, /^troupe_processes 3$/m);
    const seen = asking.received.filter((message) => "request_id" in message && message.request_id === "cut");
    process.kill(first, "SIGKILL");
    system.gate.open();
    other.send({ type: "resume", data: { request_id: "cut", after_seq: 0 } });
    const followed = (await other.untilTerminal("cut")).filter(({ type }) => type !== "resumed");
    assert.deepEqual(followed.slice(0, seen.length), seen);
    const end = followed.at(-1);
    assert.ok(end?.type === "error" && end.code === "interrupted");
    assert.equal(textOf(await other.untilTerminal("kept")), wholeText);
    while ((await system.server.workers()).length < 2) await aMoment();
    assert.match(await metrics(), started);
    const again = await system.connectBoth();
    const [late] = again.clients;
    late.send(chat("late"));
    assert.equal(textOf(await late.untilTerminal("late")), wholeText);
    assert.ok(!(await system.server.workers()).includes(first));
  });

  it("keep their clients to the end of their answers when all of them stop", async () => {
    await using system = await startWorkers({
      TROUPE_DATABASE_URL: await databaseOfGuest(8),
      TROUPE_DATABASE_CONNECTIONS: "1",
      TROUPE_MAX_CONNECTIONS_PER_KEY: "3",
    });
    const { clients } = await system.connectBoth();
    // The limit counts the sockets of both.
    const last = await connect(system.server.url ?? "");
    for (let attempts = 0; attempts < 8; attempts += 1)
      await assert.rejects(connect(system.server.url ?? ""));
    last.terminate();
    const [asking, other] = clients;
    await begin(asking, "last-0");
    await begin(other, "last-1");
    // It follows a request of the other worker.
    asking.send({ type: "resume", data: { request_id: "last-1", after_seq: 0 } });
    await asking.next((message) => isChunk(message) && message.request_id === "last-1");
    const stopped = system.server.stop();
    const states = async () =>
      (await runOn(asOwner(system.databaseUrl), "SELECT state FROM nodes")).map(({ state }) => state);
    while ((await states()).includes("serving")) await aMoment();
    for (let refused = false, attempt = 0; !refused; attempt += 1) {
      asking.send(chat(`more-${attempt}`));
      const reply = await asking.next(
        (message) =>
          message.type === "error" ||
          (isChunk(message) && "request_id" in message && message.request_id === `more-${attempt}`),
      );
      refused = reply.type === "error" && reply.code === "shutting_down";
      await aMoment();
    }
    system.gate.open();
    for (const [index, client] of clients.entries())
      assert.equal(textOf(await client.untilTerminal(`last-${index}`)), wholeText);
    for (const client of clients) assert.equal((await client.closed).code, 1012);
    assert.equal(await stopped, 0);
    assert.deepEqual(await states(), []);
  });

  it("are nodes in the list, and one that was taken over starts again in its process", async () => {
    await using system = await startWorkers({ TROUPE_ADMIN_KEY: adminKey });
    const [first, second] = await system.bothWorkers();
    const before = await nodeOf(system, first);
    assert.equal((await nodeOf(system, second)).state, "serving");
    process.kill(first, "SIGSTOP");
    while ((await listNodes(system)).length > 1) await aMoment();
    process.kill(first, "SIGCONT");
    await nodeOf(system, first, before);
    assert.deepEqual(new Set(await system.server.workers()), new Set([first, second]));
  });

  it("say in one line that the database cannot hold their connections", async () => {
    const TROUPE_DATABASE_URL = await databaseOfGuest(7);
    await assert.rejects(
      startProcesses(streamScript(events), { TROUPE_DATABASE_URL }),
      /troupe: PostgreSQL has room for 7 connections .*2 workers need 12: raise it, or lower TROUPE_DATABASE/,
    );
  });
});

/** The URL of a new database for a role that may have so many connections. */
async function databaseOfGuest(connections: number): Promise<string> {
  const url = new URL(await emptyDatabase());
  const guest = `guest_${connections}`;
  await runOn(
    url.href,
    `CREATE ROLE ${guest} LOGIN CONNECTION LIMIT ${connections}; GRANT troupe TO ${guest}`,
  );
  url.username = guest;
  return url.href;
}

/** The same database for the role of the tests, which has connections left. */
function asOwner(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.username = "troupe";
  return url.href;
}
