import { setTimeout as sleep } from "node:timers/promises";
import type { Findings } from "../../crash/findings.ts";
import { answerTo } from "../../crash/numbered-answer.ts";
import type { SeededRandom } from "../../crash/seeded-random.ts";
import type { ApiAnswer, ApiClient } from "./api-client.ts";

interface ConversationBody {
  readonly messages: readonly {
    readonly request_id: string | null;
    readonly role: string;
    readonly persona_id?: string | null;
    readonly text: string;
    readonly status: string;
  }[];
}

/** Reads conversations over HTTP while they are in use, and deletes finished ones. */
export interface ConversationReader {
  readonly figures: Readonly<Record<string, number>>;
  /** Called when a conversation gets no more requests. */
  leave(conversation: string): void;
  /** Settles when the signal has aborted and the last answer has arrived. */
  read(signal: AbortSignal): Promise<void>;
  /** Deletes every existing conversation. */
  deleteAll(): Promise<void>;
}

export interface ConversationReaderOptions {
  readonly ask: ApiClient;
  readonly random: SeededRandom;
  readonly findings: Findings;
}

/** Maximum number of finished conversations that are kept for reading. */
const maxLeft = 100;
const maxPauseMs = 200;

export function createConversationReader({
  ask,
  random,
  findings,
}: ConversationReaderOptions): ConversationReader {
  const figures = { lists: 0, searches: 0, reads: 0, exports: 0, deletions: 0 };
  const left: string[] = [];

  function check(isRight: boolean, path: string, { status, body }: ApiAnswer): void {
    if (!isRight) findings.note("wrong HTTP answers", `${path}: ${status} ${body.slice(0, 500)}`);
  }

  async function get(path: string): Promise<ApiAnswer> {
    const answer = await ask("GET", path);
    check(answer.status === 200, path, answer);
    return answer;
  }

  async function list(): Promise<string[]> {
    figures.lists += 1;
    const { conversations } = JSON.parse((await get("/api/conversations?limit=100")).body) as {
      conversations: { id: string }[];
    };
    return conversations.map(({ id }) => id);
  }

  async function search(): Promise<void> {
    figures.searches += 1;
    const path = `/api/conversations?q=${random.pick(["answer", "what is", "skeptic 12", "teacher p1", "nobody"])}`;
    const answer = await get(path);
    check(answer.body.startsWith('{"matches":['), path, answer);
  }

  /** Checks that every text stored as complete is the persona's whole answer. */
  async function readOne(id: string): Promise<void> {
    figures.reads += 1;
    const path = `/api/conversations/${id}`;
    const answer = await get(path);
    for (const { role, status, request_id, persona_id, text } of (JSON.parse(answer.body) as ConversationBody)
      .messages) {
      if (role === "assistant" && status === "completed")
        check(text === answerTo(request_id ?? "", persona_id ?? ""), `${path} at ${request_id}`, answer);
    }
  }

  async function exportOne(id: string): Promise<void> {
    figures.exports += 1;
    await get(`/api/conversations/${id}/export?format=${random.pick(["json", "markdown"])}`);
  }

  async function remove(id: string): Promise<void> {
    figures.deletions += 1;
    const path = `/api/conversations/${id}`;
    const answer = await ask("DELETE", path);
    check(answer.status === 204, path, answer);
  }

  return {
    figures,
    leave: (conversation) => void left.push(conversation),
    async read(signal) {
      while (!signal.aborted) {
        const oldest = left.length > maxLeft ? left.shift() : undefined;
        if (oldest !== undefined) await remove(oldest);
        const some = left[random.whole(0, left.length - 1)];
        if (some === undefined || random.chance(0.3)) await (random.chance(0.5) ? list() : search());
        else await random.pick([readOne, exportOne])(some);
        await sleep(random.between(0, maxPauseMs));
      }
    },
    async deleteAll() {
      left.length = 0;
      for (let ids = await list(); ids.length > 0; ids = await list()) for (const id of ids) await remove(id);
    },
  };
}
