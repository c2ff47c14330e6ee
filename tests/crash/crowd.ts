import { type Ask, answeredAnew, modelAsk, outlastingAsk, personaAsk } from "./any-ask.ts";
import { createRequestRecord, type RequestRecord } from "./request-record.ts";
import {
  type ClientCounts,
  createReturningClient,
  type ReturningClient,
  type ReturningClientOptions,
} from "./returning-client.ts";
import { messagesOf } from "./seen-texts.ts";

export interface CrowdOptions extends ReturningClientOptions {
  /** Begins the ids of its requests, where there is another crowd. Default: nothing. */
  readonly name?: string;
  /** How many requests run at the same time. */
  readonly streams: number;
  /** Takes a request that has ended for everybody who reads it; the crowd keeps it no longer. */
  readonly onRead: (record: RequestRecord) => void;
  /** Hears of a conversation in which nobody will ask any more. */
  readonly onLeft?: (conversation: string) => void;
  /** The share of the requests that are stopped in their middle. Default 0. */
  readonly cancelShare?: number;
  /** The share of the requests that outlast the process which answers them. Default 0. */
  readonly outlastingShare?: number;
}

/** Clients that ask one thing after another until they are told to finish. */
export interface Crowd {
  /** What somebody still reads. */
  readonly unread: readonly RequestRecord[];
  /** Requests of which somebody has seen a part, and not the end. */
  readonly inAnswer: number;
  readonly counts: ClientCounts;
  /** The connection of each client is lost with this probability; returns how many were. */
  cut(probability: number): number;
  /** No new requests; settles when every request has ended for everybody who reads it. */
  finish(): Promise<void>;
  close(): void;
}

/** Most requests of one conversation. */
const conversationLength = 6;
/** Messages that come before a client stops its request, at most; the shortest answers have about so many. */
const mostBeforeCancel = 30;

export function createCrowd(options: CrowdOptions): Crowd {
  const {
    streams,
    random,
    findings,
    onRead,
    onLeft = () => undefined,
    cancelShare = 0,
    outlastingShare = 0,
    name = "",
  } = options;
  const clients: ReturningClient[] = [];
  const unread = new Set<RequestRecord>();
  let asks = 0;
  let finishing = false;
  const slots: Promise<void>[] = [];

  function record(ask: Ask): RequestRecord {
    const isStopped = cancelShare > 0 && random.chance(cancelShare);
    const stop = isStopped ? { cancelAt: random.whole(1, mostBeforeCancel) } : {};
    const made = createRequestRecord({ ...ask, ...stop }, findings);
    unread.add(made);
    return made;
  }

  function nextId(kind: "p" | "m"): string {
    asks += 1;
    return `${name}${kind}${asks}`;
  }

  const outlasts = () => outlastingShare > 0 && random.chance(outlastingShare);

  /** Asks personas, in conversations that it goes on with. */
  async function talk(client: ReturningClient): Promise<void> {
    let conversation: string | undefined;
    for (let count = 1; !finishing; count += 1) {
      const isNew = count % conversationLength === 0 || random.chance(0.1);
      if (isNew && conversation !== undefined) onLeft(conversation);
      const ask = personaAsk(nextId("p"), random, isNew ? "new" : conversation);
      const asked = record(outlasts() ? answeredAnew(ask) : ask);
      const end = await read(client, asked);
      const named = end?.type === "response" && end.request_type !== "openai_chat";
      conversation = named ? end.data.conversation_id : isNew ? undefined : conversation;
    }
  }

  /** Asks the model itself, beside what else its client does. */
  async function query(client: ReturningClient): Promise<void> {
    while (!finishing) {
      await read(client, record((outlasts() ? outlastingAsk : modelAsk)(nextId("m"), random)));
    }
  }

  /** Some requests are followed by a second client, which knows of them once they have begun. Settles with the last message. */
  async function read(client: ReturningClient, asked: RequestRecord) {
    const own = client.read(asked, true);
    const other = random.pick([clients[0] ?? client, ...clients]);
    if (other !== client && random.chance(0.2)) {
      await Promise.race([asked.begun, own]);
      await other.read(asked, false);
    }
    await own;
    const end = messagesOf(asked).at(-1);
    unread.delete(asked);
    onRead(asked);
    return end;
  }

  const talkers = Math.ceil((streams * 2) / 3);
  for (let index = 0; index < talkers; index += 1) clients.push(createReturningClient(options));
  for (const [index, client] of clients.entries()) {
    slots.push(talk(client));
    if (index < streams - talkers) slots.push(query(client));
  }

  return {
    get unread() {
      return [...unread];
    },
    get inAnswer() {
      return this.unread.filter(({ frames, terminalSeq }) => frames.length > 0 && terminalSeq === undefined)
        .length;
    },
    get counts() {
      return sumCounts(clients.map(({ counts }) => counts));
    },
    cut(probability) {
      const unlucky = clients.filter(() => random.chance(probability));
      for (const client of unlucky) client.cut();
      return unlucky.length;
    },
    async finish() {
      finishing = true;
      await Promise.all(slots);
    },
    close() {
      for (const client of clients) client.close();
    },
  };
}

function sumCounts(all: readonly ClientCounts[]): ClientCounts {
  const sum = { connections: 0, cutInAnswer: 0, cutInReplay: 0, resumes: 0, repeatedAsks: 0, cancels: 0 };
  for (const counts of all) {
    for (const key of Object.keys(sum) as (keyof ClientCounts)[]) sum[key] += counts[key];
  }
  return sum;
}
