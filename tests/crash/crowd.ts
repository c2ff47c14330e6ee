import { type Ask, modelAsk, personaAsk } from "./any-ask.ts";
import { createRequestRecord, type RequestRecord } from "./request-record.ts";
import {
  type ClientCounts,
  createReturningClient,
  type ReturningClient,
  type ReturningClientOptions,
} from "./returning-client.ts";
import { messagesOf } from "./seen-texts.ts";

export interface CrowdOptions extends ReturningClientOptions {
  /** How many requests run at the same time. */
  readonly streams: number;
}

/** Clients that ask one thing after another until they are told to finish. */
export interface Crowd {
  readonly records: readonly RequestRecord[];
  /** Requests of which somebody has seen a part, and not the end. */
  readonly inAnswer: number;
  readonly counts: ClientCounts;
  /** No new requests; settles when every request has ended for everybody who reads it. */
  finish(): Promise<void>;
  close(): void;
}

/** Most requests of one conversation. */
const conversationLength = 6;

export function createCrowd(options: CrowdOptions): Crowd {
  const { streams, random, findings } = options;
  const clients: ReturningClient[] = [];
  const records: RequestRecord[] = [];
  let finishing = false;
  const slots: Promise<void>[] = [];

  function record(ask: Ask): RequestRecord {
    const made = createRequestRecord(ask, findings);
    records.push(made);
    return made;
  }

  /** Asks personas, in conversations that it goes on with. */
  async function talk(client: ReturningClient): Promise<void> {
    let conversation: string | undefined;
    for (let count = 1; !finishing; count += 1) {
      const isNew = count % conversationLength === 0 || random.chance(0.1);
      const asked = record(personaAsk(`p${records.length}`, random, isNew ? "new" : conversation));
      await read(client, asked);
      const end = messagesOf(asked).at(-1);
      const named = end?.type === "response" && end.request_type !== "openai_chat";
      conversation = named ? end.data.conversation_id : isNew ? undefined : conversation;
    }
  }

  /** Asks the model itself, beside what else its client does. */
  async function query(client: ReturningClient): Promise<void> {
    while (!finishing) await read(client, record(modelAsk(`m${records.length}`, random)));
  }

  /** Some requests are followed by a second client, which knows of them once they have begun. */
  async function read(client: ReturningClient, asked: RequestRecord): Promise<void> {
    const own = client.read(asked, true);
    const other = random.pick([clients[0] ?? client, ...clients]);
    if (other !== client && random.chance(0.2)) {
      await Promise.race([asked.begun, own]);
      await other.read(asked, false);
    }
    await own;
  }

  const talkers = Math.ceil((streams * 2) / 3);
  for (let index = 0; index < talkers; index += 1) clients.push(createReturningClient(options));
  for (const [index, client] of clients.entries()) {
    slots.push(talk(client));
    if (index < streams - talkers) slots.push(query(client));
  }

  return {
    records,
    get inAnswer() {
      return records.filter(({ frames, terminalSeq }) => frames.length > 0 && terminalSeq === undefined)
        .length;
    },
    get counts() {
      return sumCounts(clients.map(({ counts }) => counts));
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
  const sum = { connections: 0, cutInAnswer: 0, cutInReplay: 0, resumes: 0, repeatedAsks: 0 };
  for (const counts of all) {
    for (const key of Object.keys(sum) as (keyof ClientCounts)[]) sum[key] += counts[key];
  }
  return sum;
}
