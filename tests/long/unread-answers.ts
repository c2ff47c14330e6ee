import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createPartReader } from "../../src/client/part-reader.ts";
import { frameBytes, handshakeText } from "../support/raw-socket.ts";
import { connect } from "../support/wire-client.ts";
import { reportFigures } from "./record/report.ts";
import { hasPython, startStalledClients } from "./sockets/stalled-clients.ts";
import { startServer } from "./sockets/start-server.ts";
import { questionOf, type WordPlan, wordsOf } from "./sockets/word-upstream.ts";

/** `UNREAD_CLIENTS` changes the size of the run. */
const clients = Number(process.env.UNREAD_CLIENTS ?? 1_000);
const heapMegabytes = 256;
/** An answer of 3.8 MB. If 100 clients each held their own copy of its last message, the heap would be full. */
const plan = {
  name: "large",
  words: 3_800,
  wordChars: 999,
  wordsAtOnce: 100,
  intervalMs: 1,
} satisfies WordPlan;

/**
 * Maximum bytes for one client that does not read, without the memory that all share. The system's own buffers are not
 * counted.
 */
const statedBytes = { socket: 48 * 1024, body: 128 * 1024 };

type System = Awaited<ReturnType<typeof startServer>>;

const start = () =>
  startServer({
    NODE_OPTIONS: `--max-old-space-size=${heapMegabytes}`,
    // The clients answer no pings, and no answer may be cut while it is measured.
    TROUPE_PING_MS: "600000",
    TROUPE_MAX_HTTP_CONNECTIONS: String(clients),
    TROUPE_MAX_HTTP_CONNECTIONS_PER_ADDRESS: String(clients),
  });

/** Asks for the large answer. Returns its conversation, and the number of its last message. */
async function askLarge({ url }: System) {
  const client = await connect(url);
  client.send({
    type: "chat",
    id: "large",
    data: {
      message: questionOf(plan),
      persona_id: "teacher",
      conversation_id: "new",
      pacing: { mode: "raw" },
    },
  });
  const parts = createPartReader();
  const end = (await client.untilTerminal("large")).map((message) => parts.read(message)).at(-1);
  assert.ok(end?.type === "response" && end.request_type === "chat");
  assert.equal(end.data.response, wordsOf(plan).join(""));
  client.close();
  return { conversation: end.data.conversation_id, lastSeq: end.seq };
}

/** The longest time that a ping takes to be answered during `work`, in milliseconds. */
async function besides<T>(
  { url }: System,
  work: () => Promise<T>,
): Promise<{ result: T; longestMs: number }> {
  const neighbour = await connect(url);
  let isOver = false;
  let longestMs = 0;
  const watching = (async () => {
    while (!isOver) {
      const sentAtMs = performance.now();
      neighbour.send({ type: "ping" });
      await neighbour.next((message) => message.type === "pong");
      longestMs = Math.max(longestMs, performance.now() - sentAtMs);
      await sleep(10);
    }
  })();
  const result = await work();
  isOver = true;
  await watching;
  neighbour.close();
  return { result, longestMs };
}

/**
 * How much memory the server needs for clients that send these bytes and then read nothing, and how long other clients
 * wait meanwhile.
 */
async function measure(system: System, sendings: readonly (string | Uint8Array)[]) {
  const port = new URL(system.url).port;
  // The first clients set up shared memory, which must not be counted for each client.
  await (await startStalledClients({ port, count: 50, sendings }))[Symbol.asyncDispose]();
  await sleep(2_000);
  const before = await system.server.rssBytes();
  const { result, longestMs } = await besides(system, async () => {
    const stalled = await startStalledClients({ port, count: clients, sendings });
    await sleep(3_000);
    return stalled;
  });
  const growth = (await system.server.rssBytes()) - before;
  await result[Symbol.asyncDispose]();
  return { growth, longestMs };
}

it(`${clients} clients that do not read their answers`, {
  skip: !hasPython && process.env.CI !== "true" && "no python3",
}, async () => {
  await using system = await start();
  const { conversation, lastSeq } = await askLarge(system);
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
  const resume = { type: "resume", data: { request_id: "large", after_seq: lastSeq - 1 } };
  const rows = {
    "followers of its last message": {
      limit: statedBytes.socket,
      sendings: [handshakeText(), frameBytes({ opcode: 1, payload: JSON.stringify(resume) })],
    },
    "readers of the conversation": {
      limit: statedBytes.body,
      sendings: [get(`/api/conversations/${conversation}`)],
    },
    "readers of its export": {
      limit: statedBytes.body,
      sendings: [get(`/api/conversations/${conversation}/export?format=markdown`)],
    },
    "readers of the page": { limit: statedBytes.body, sendings: [get("/")] },
  };
  const figures: Record<string, number | string> = { clients };
  const tooMuch: string[] = [];
  for (const [name, { sendings, limit }] of Object.entries(rows)) {
    const { growth, longestMs } = await measure(system, sendings);
    figures[`${name}: memory`] = `${(growth / 1024 ** 2).toFixed(1)} MiB`;
    figures[`${name}: of each, at most ${limit / 1024} KiB`] = `${(growth / clients / 1024).toFixed(1)} KiB`;
    figures[`${name}: a neighbour's longest wait`] = `${longestMs.toFixed(0)} ms`;
    if (growth > clients * limit) tooMuch.push(name);
  }
  reportFigures({ program: "unread-answers", settings: { UNREAD_CLIENTS: clients }, figures });
  const after = await fetch(`${system.httpUrl}/api/conversations/${conversation}`);
  assert.ok((await after.text()).includes(wordsOf(plan).at(-1) ?? "?"), "it answers as before");
  assert.deepEqual(tooMuch, []);
  assert.deepEqual(system.server.faults, []);
});
