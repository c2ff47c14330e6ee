import { type Ask, answeredAnew, modelAsk, outlastingAsk, personaAsk } from "./any-ask.ts";
import { createRequestRecord, type RequestRecord } from "./request-record.ts";
import {
  type ClientCounts,
  createReturningClient,
  noCounts,
  type ReturningClient,
  type ReturningClientOptions,
} from "./returning-client.ts";
import { messagesOf } from "./seen-texts.ts";

export interface CrowdOptions extends ReturningClientOptions {
  /** Prefix of its request ids, needed if there is another crowd. Default: empty. */
  readonly name?: string;
  /** Number of requests that run at the same time. */
  readonly streams: number;
  /** Takes a request once all its readers have seen its end. The crowd then drops it. */
  readonly onRead: (record: RequestRecord) => void;
  /** Called with a conversation that gets no more requests. */
  readonly onLeft?: (conversation: string) => void;
  /** The share of requests that are cancelled in their middle. Default 0. */
  readonly cancelShare?: number;
  /** The share of requests that outlast the process that answers them. Default 0. */
  readonly outlastingShare?: number;
  /** Compares two frames of one number. Default: byte by byte. */
  readonly isSame?: (one: string, other: string) => boolean;
}

/** Clients that ask one question after another until they are told to finish. */
export interface Crowd {
  /** Requests with readers that have not seen the end. */
  readonly unread: readonly RequestRecord[];
  /** Requests of which a reader has seen a part, but not the end. */
  readonly inAnswer: number;
  readonly counts: ClientCounts;
  /** Cuts each client's connection with this probability. Returns the number of cuts. */
  cut(probability: number): number;
  /** Starts no new requests. Settles when all readers have seen the ends of their requests. */
  finish(): Promise<void>;
  close(): void;
}

/** Maximum number of requests in one conversation. */
const conversationLength = 6;
/** Maximum number of messages before a client cancels its request. The shortest answers have about as many. */
const maxBeforeCancel = 30;

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
    isSame,
  } = options;
  const clients: ReturningClient[] = [];
  const unread = new Set<RequestRecord>();
  let asks = 0;
  let finishing = false;
  const slots: Promise<void>[] = [];

  function record(ask: Ask): RequestRecord {
    const isStopped = cancelShare > 0 && random.chance(cancelShare);
    const stop = isStopped ? { cancelAt: random.whole(1, maxBeforeCancel) } : {};
    const made = createRequestRecord({ ...ask, ...stop }, findings, isSame);
    unread.add(made);
    return made;
  }

  function nextId(kind: "p" | "m"): string {
    asks += 1;
    return `${name}${kind}${asks}`;
  }

  const outlasts = () => outlastingShare > 0 && random.chance(outlastingShare);

  /** Asks personas, in conversations that it continues. */
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

  /** Asks the model itself, alongside the client's other requests. */
  async function query(client: ReturningClient): Promise<void> {
    while (!finishing) {
      await read(client, record((outlasts() ? outlastingAsk : modelAsk)(nextId("m"), random)));
    }
  }

  /** Some requests get a second reader, which joins once they have started. Settles with the last message. */
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
  const sum = noCounts();
  for (const counts of all) {
    for (const key of Object.keys(sum) as (keyof ClientCounts)[]) sum[key] += counts[key];
  }
  return sum;
}
