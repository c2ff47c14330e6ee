import type pg from "pg";
import { connect, drop } from "../connection.ts";
import { type Bus, type BusOptions, probeMs, silentMs } from "./bus.ts";
import { decodeMessage, encodeMessage, type NodeMessage } from "./messages.ts";

interface NotifyBusOptions extends BusOptions {
  /** The database. */
  readonly url: string;
}

const channel = "troupe";
/** Maximum payloads that wait to be sent; further ones are lost. */
const maxWaiting = 1_000;
const pauseMs = 500;

/** PostgreSQL refuses a longer payload, bytes. */
const maxBytes = 7_900;
const plainProbe = (): NodeMessage => ({ type: "probe" });

/**
 * Opens a bus by `NOTIFY`, which is never sent in a transaction of the journal: it holds a lock of the whole server through the commit. A
 * connection that fails is opened again. One that is half open is found by a message of the node to itself.
 */
export function openNotifyBus(options: NotifyBusOptions): Bus {
  const { url, clock, incarnation, onMessage, probe = plainProbe } = options;
  const stopped = new AbortController();
  let waiting: string[] = [];
  let client: pg.Client | undefined;
  /** Undefined until the first own message has arrived over this connection. */
  let heardAtMs: number | undefined;
  let openedAtMs = 0;
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
    heardAtMs = undefined;
  }

  function send(message: NodeMessage): void {
    for (const payload of encodeMessage(incarnation, message, maxBytes))
      if (waiting.length < maxWaiting) waiting.push(payload);
    void flush();
  }

  async function keepOpen(): Promise<void> {
    while (!stopped.signal.aborted) {
      if (client !== undefined && clock.now() - (heardAtMs ?? openedAtMs) > silentMs) renew(client);
      try {
        if (client === undefined) {
          // They are older than the connection, and the rows have told the same by now.
          waiting = [];
          client = await open();
          openedAtMs = clock.now();
        }
        send(probe());
        await clock.sleep(probeMs, stopped.signal);
      } catch {
        await clock.sleep(pauseMs, stopped.signal);
      }
    }
  }
  const done = keepOpen();

  return {
    send,
    get isHeard() {
      return heardAtMs !== undefined && clock.now() - heardAtMs <= silentMs;
    },
    async [Symbol.asyncDispose]() {
      stopped.abort();
      if (client !== undefined) renew(client);
      await done;
      if (client !== undefined) renew(client);
    },
  };
}
