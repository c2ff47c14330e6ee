import type pg from "pg";
import type { Clock } from "../../../ports/clock.ts";
import { connect, drop } from "../connection.ts";
import { decodeMessage, encodeMessage, type NodeMessage } from "./messages.ts";

interface BusOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly incarnation: number;
  /** Called with each message of another node. Must not throw. */
  readonly onMessage: (message: NodeMessage, from: number) => void;
}

/**
 * Messages to all other nodes, by `NOTIFY`. They are hints that may be lost. They are never sent in a transaction of the journal: `NOTIFY`
 * holds a lock of the whole server through the commit.
 */
export interface Bus extends AsyncDisposable {
  send(message: NodeMessage): void;
}

const channel = "troupe";
/** Maximum payloads that wait to be sent; further ones are lost. */
const maxWaiting = 1_000;
/** From one probe to the next, and without a probe for this long, the connection is renewed, milliseconds. */
const probeMs = 1_000;
const silentMs = 3_000;
const pauseMs = 500;

/** Opens the bus. A connection that fails is opened again; one that is half open is found by a message of the node to itself. */
export function openBus({ url, clock, incarnation, onMessage }: BusOptions): Bus {
  const stopped = new AbortController();
  let waiting: string[] = [];
  let client: pg.Client | undefined;
  let heardAtMs = 0;
  let isSending = false;

  function hear({ payload = "" }: pg.Notification): void {
    const heard = decodeMessage(payload);
    if (heard === undefined) return;
    if (heard.from !== incarnation) onMessage(heard.message, heard.from);
    else if (heard.message.type === "probe") heardAtMs = clock.now();
  }

  async function open(): Promise<pg.Client> {
    const opened = await connect(url, "other");
    try {
      opened.on("notification", hear);
      // A message need not survive a crash of the database, and must not wait for its disk.
      await opened.query("SET synchronous_commit = off");
      await opened.query(`LISTEN ${channel}`);
      return opened;
    } catch (fault) {
      drop(opened);
      throw fault;
    }
  }

  /** Messages of the same moment travel together. */
  async function flush(): Promise<void> {
    if (isSending) return;
    isSending = true;
    await new Promise<void>((resolve) => setImmediate(resolve));
    const current = client;
    while (current !== undefined && client === current && waiting.length > 0) {
      const payloads = waiting;
      waiting = [];
      try {
        await current.query({
          name: "notify",
          text: `SELECT pg_notify('${channel}', payload) FROM unnest($1::text[]) AS payload`,
          values: [payloads],
        });
      } catch {
        renew(current);
      }
    }
    isSending = false;
  }

  function renew(failed: pg.Client): void {
    if (client !== failed) return;
    drop(failed);
    client = undefined;
  }

  function send(message: NodeMessage): void {
    for (const payload of encodeMessage(incarnation, message))
      if (waiting.length < maxWaiting) waiting.push(payload);
    void flush();
  }

  async function keepOpen(): Promise<void> {
    while (!stopped.signal.aborted) {
      if (client !== undefined && clock.now() - heardAtMs > silentMs) renew(client);
      try {
        if (client === undefined) {
          // They are older than the connection, and the rows have told the same by now.
          waiting = [];
          client = await open();
          heardAtMs = clock.now();
        }
        send({ type: "probe" });
        await clock.sleep(probeMs, stopped.signal);
      } catch {
        await clock.sleep(pauseMs, stopped.signal);
      }
    }
  }
  const done = keepOpen();

  return {
    send,
    async [Symbol.asyncDispose]() {
      stopped.abort();
      if (client !== undefined) drop(client);
      await done;
      if (client !== undefined) drop(client);
    },
  };
}
