import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { ServerMessage } from "../../../src/protocol/server-messages.ts";
import { modelAsk, outlastingAsk } from "../../crash/any-ask.ts";
import type { CountingUpstream } from "../../crash/counting-upstream.ts";
import { namelessVoice } from "../../crash/numbered-answer.ts";
import type { SeededRandom } from "../../crash/seeded-random.ts";
import { adminKey, bearer, type MadeKey } from "../../support/key-system.ts";
import { connect, isTerminal, type WireClient } from "../../support/wire-client.ts";
import type { AcceptedCancel } from "./judge-nodes.ts";

interface GuestOptions {
  /** The addresses of all nodes. */
  readonly urls: () => readonly string[];
  readonly random: SeededRandom;
  readonly upstream: Pick<CountingUpstream, "callsFor">;
  /** The tokens a day of a key that is spent to its end. */
  readonly cap: number;
}

/** The results of the guests, with a description of each fault. */
export interface GuestResults {
  readonly cancels: readonly AcceptedCancel[];
  /** Revocations that were answered in the middle of an answer. */
  readonly revoked: number;
  readonly afterRevocation: readonly string[];
  /** Tickets that came to several nodes at once. */
  readonly tickets: number;
  readonly reusedTickets: readonly string[];
  /** Keys whose budget was spent to its end. */
  readonly spentKeys: number;
}

/** Clients with keys of their own, beside a crowd: they stop background answers, revoke keys, spend budgets and ask for tickets. */
export interface KeyedGuests {
  /** The results so far. */
  results(): GuestResults;
  /** Asks a node for requests of another owner, and returns everything but refusals. */
  peek(url: string, ids: readonly string[]): Promise<readonly string[]>;
  /** Starts nothing new. Settles once the present requests have ended. */
  finish(): Promise<void>;
  close(): void;
}

/** A node that stands still answers after this time, milliseconds. */
const patienceMs = 20_000;
/** Requests that spend one key at the same time. */
const spenders = 3;
const refusals: readonly string[] = ["day_budget_spent", "budget_exhausted", "larger_than_day_budget"];

interface RevokedClient {
  readonly id: string;
  readonly client: WireClient;
  /** Number of messages that had arrived with the answer to the revocation. */
  readonly before: number;
}

export function startGuests({ urls, random, upstream, cap }: GuestOptions): KeyedGuests {
  const clients = new Set<WireClient>();
  const revoked: RevokedClient[] = [];
  const checks: Promise<void>[] = [];
  const openedSockets: string[] = [];
  const reusedTickets: string[] = [];
  const cancels: AcceptedCancel[] = [];
  let [tickets, spentKeys, asks] = [0, 0, 0];
  let finishing = false;

  function anyUrl(): string {
    const [first = "", ...others] = urls();
    return random.pick([first, ...others]);
  }

  /** `undefined` if no node answered. */
  async function call(method: string, path: string, key: string, body?: object) {
    const address = anyUrl().replace(/^ws/, "http").replace(/\/ws$/, path);
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const signal = AbortSignal.timeout(patienceMs);
    try {
      const answer = await fetch(address, { method, signal, ...bearer(key), ...content });
      return { status: answer.status, text: await answer.text() };
    } catch {
      return undefined;
    }
  }

  async function makeKey(limits: object = {}): Promise<MadeKey | undefined> {
    const made = await call("POST", "/api/keys", adminKey, { owner: "guest", limits });
    return made?.status === 201 ? (JSON.parse(made.text) as MadeKey) : undefined;
  }

  async function open(url: string, options: object = {}): Promise<WireClient | undefined> {
    try {
      const client = await connect(url, { handshakeTimeout: patienceMs, ...options });
      clients.add(client);
      void client.closed.then(() => clients.delete(client));
      return client;
    } catch {
      return undefined;
    }
  }

  function nextAsk(make: typeof modelAsk) {
    asks += 1;
    return make(`guest${asks}`, random);
  }

  /** Asks for a background answer, and stops it in its middle by a cancel or by going away. */
  async function askAndStop(key: string): Promise<void> {
    const client = await open(anyUrl(), bearer(key));
    if (client === undefined) return;
    const { id, frame } = nextAsk(modelAsk);
    const onDisconnect = { options: { background: true }, on_disconnect: random.whole(500, 3_000) };
    client.send({ ...frame, data: { ...frame.data, ...onDisconnect } });
    const hasBegun = await begins(client);
    await sleep(random.between(0, 1_000));
    if (hasBegun && random.chance(0.6)) {
      client.send({ type: "cancel", data: { request_id: id } });
      const told = await client
        .next(({ type }) => type === "cancelling" || type === "error")
        .catch(() => undefined);
      if (told?.type === "cancelling") cancels.push({ id, atMs: Date.now() });
    }
    client.terminate();
  }

  /** Asks, and has another node revoke the key in the middle of the answer. */
  async function askAndRevoke(): Promise<void> {
    const made = await makeKey();
    if (made === undefined) return;
    const client = await open(anyUrl(), bearer(made.key));
    if (client === undefined) return;
    client.send(nextAsk(modelAsk).frame);
    const hasBegun = await begins(client);
    const answer = await call("DELETE", `/api/keys/${made.id}`, adminKey);
    // Without an answer nothing is promised, and an answer that was repeated does not wait for the nodes.
    if (!hasBegun || answer?.status !== 204) return client.terminate();
    // Messages that were sent before are in the buffer of this socket.
    await nextTurn();
    await nextTurn();
    const late = nextAsk(modelAsk);
    revoked.push({ id: late.id, client, before: client.received.length });
    client.send(late.frame);
    checks.push(refusesKey(made.key));
  }

  async function refusesKey(key: string): Promise<void> {
    for (const url of urls()) {
      const opened = await open(url, bearer(key));
      if (opened === undefined) continue;
      openedSockets.push(`${url} opened a socket for a revoked key`);
      opened.terminate();
    }
  }

  function faultsOf({ id, client, before }: RevokedClient): string[] {
    const late = client.received.slice(before);
    return [
      ...(late.length === 0 ? [] : [`${late.length} messages: ${JSON.stringify(late[0])}`]),
      ...(upstream.callsFor(id, namelessVoice) === 0 ? [] : [`${id} was asked and answered`]),
    ];
  }

  /** Opens sockets with one ticket at all nodes at once, and once more. */
  async function redeemTickets(key: string): Promise<void> {
    const issued = await call("POST", "/api/tickets", key);
    if (issued?.status !== 200 && issued?.status !== 201) return;
    const { ticket } = JSON.parse(issued.text) as { ticket: string };
    const atOnce = await Promise.all(urls().map((url) => open(`${url}?ticket=${ticket}`)));
    const opened = [...atOnce, await open(`${anyUrl()}?ticket=${ticket}`)].filter((one) => one !== undefined);
    tickets += 1;
    if (opened.length > 1) reusedTickets.push(`${opened.length} sockets for one ticket`);
    for (const client of opened) client.terminate();
  }

  /** Asks until the key's budget of the day is spent. */
  async function spend(key: string): Promise<boolean> {
    while (!finishing) {
      const client = await open(anyUrl(), bearer(key));
      if (client === undefined) {
        await sleep(random.between(50, 200));
        continue;
      }
      const { id, frame } = nextAsk(outlastingAsk);
      client.send(frame);
      const isEnd = (message: ServerMessage) =>
        isTerminal(message) || (message.type === "error" && message.in_reply_to?.id === id);
      const end = await client.next(isEnd).catch(() => undefined);
      client.terminate();
      if (end?.type === "error" && refusals.includes(end.code)) return true;
      if (end?.type !== "response") await sleep(random.between(50, 200));
    }
    return false;
  }

  async function spendKey(): Promise<void> {
    const made = await makeKey({ tokens_per_day: cap });
    if (made === undefined) return;
    const ends = await Promise.all(Array.from({ length: spenders }, () => spend(made.key)));
    if (ends.every((isSpent) => isSpent)) spentKeys += 1;
  }

  async function repeat(play: () => Promise<void>): Promise<void> {
    while (!finishing) {
      await play();
      await sleep(random.between(200, 1_000));
    }
  }

  const withKey = (play: (key: string) => Promise<void>) => {
    let made: Promise<MadeKey | undefined> = Promise.resolve(undefined);
    return async () => {
      const key = await made;
      if (key === undefined) made = makeKey();
      else await play(key.key);
    };
  };

  const loops = [
    ...[askAndRevoke, askAndRevoke, spendKey, withKey(redeemTickets)],
    ...[withKey(askAndStop), withKey(askAndStop)],
  ].map(repeat);
  return {
    results: () => ({
      afterRevocation: [...openedSockets, ...revoked.flatMap(faultsOf)],
      ...{ cancels, revoked: revoked.length, tickets, reusedTickets, spentKeys },
    }),
    async peek(url, ids) {
      let made: MadeKey | undefined;
      while (made === undefined) made = await makeKey();
      const client = await connect(url, bearer(made.key));
      for (const id of ids) client.send({ type: "resume", data: { request_id: id, after_seq: 0 } });
      const isRefusal = (message: ServerMessage) =>
        message.type === "error" && message.code === "request_not_found";
      for (const _ of ids) await client.next();
      client.terminate();
      return client.received
        .filter((message) => !isRefusal(message))
        .map((message) => JSON.stringify(message));
    },
    async finish() {
      finishing = true;
      await Promise.all(loops);
      await Promise.all(checks);
    },
    close() {
      finishing = true;
      for (const client of clients) client.terminate();
    },
  };
}

/** Whether a request's first chunk comes, before it is refused or its connection breaks. */
async function begins(client: WireClient): Promise<boolean> {
  const first = await client.next(({ type }) => type === "chunk" || type === "error").catch(() => undefined);
  return first?.type === "chunk";
}
