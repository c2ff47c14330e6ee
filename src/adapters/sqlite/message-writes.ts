import type { Clock } from "../../ports/clock.ts";
import { charsOf, type NewMessage, type TurnQuestion } from "../../ports/conversation-store.ts";
import { titleOf } from "../../ports/search-terms.ts";
import type { TurnRecord } from "../../ports/turn-log.ts";
import type { Write } from "./statements.ts";

/** The place of new messages in a conversation. */
interface MessagePlace {
  readonly owner: string;
  readonly conversationId: string;
  /** The message that the first one follows. */
  readonly parentId: string | undefined;
  /** Characters of all messages from the root to that one. */
  readonly pathChars: number;
}

/** The writes that store a chain of messages, and their ids in order. */
export function writesOfMessages(
  { owner, conversationId, parentId, pathChars: charsBefore }: MessagePlace,
  messages: readonly Omit<NewMessage, "parentId">[],
  clock: Pick<Clock, "newId" | "wallTimeMs">,
): { readonly ids: readonly string[]; readonly writes: readonly Write[] } {
  const nowMs = clock.wallTimeMs();
  let parent = parentId ?? null;
  let pathChars = charsBefore;
  const ids: string[] = [];
  const writes: Write[] = [];
  for (const message of messages) {
    const { requestId = null, role, personaId = null, personaName = null, text, items, status } = message;
    const id = message.id ?? clock.newId();
    pathChars += charsOf(message);
    writes.push([
      "insertMessage",
      id,
      parent,
      requestId,
      role,
      personaId,
      personaName,
      text,
      items === undefined ? null : JSON.stringify(items),
      status,
      nowMs,
      pathChars,
      conversationId,
      owner,
    ]);
    parent = id;
    ids.push(id);
  }
  if (writes.length === 0) return { ids, writes };
  const questions = messages.filter(({ role }) => role === "user");
  const title = questions.map(({ text }) => titleOf(text)).find((shown) => shown !== "") ?? "";
  writes.push(["addedTo", title, nowMs, conversationId, owner]);
  return { ids, writes };
}

/** The writes that store a turn's question, after those of a new conversation. `undefined` if its place is no longer the head. */
export function writesOfQuestion(
  { owner, id: requestId, conversationId = "" }: TurnRecord,
  { under, ...asked }: TurnQuestion,
  { clock, headMoves }: { readonly clock: Clock; readonly headMoves: HeadMoves },
): readonly Write[] | undefined {
  if (under !== undefined && headMoves.hasMovedSince(under.version, conversationId)) return undefined;
  const { messageId: parentId, pathChars } = under ?? { pathChars: 0 };
  const nowMs = clock.wallTimeMs();
  const begins: readonly Write[] =
    under === undefined ? [["createConversation", conversationId, owner, nowMs, nowMs]] : [];
  const place = { owner, conversationId, parentId, pathChars };
  const { writes } = writesOfMessages(
    place,
    [{ ...asked, role: "user", status: "completed", requestId }],
    clock,
  );
  return [...begins, ...writes];
}

/** Older moves are forgotten, and then every path that was read before them counts as outdated. */
const maxMoves = 10_000;

/**
 * The conversations whose head was moved or that were removed lately, at the moment at which that write was queued. All such writes go
 * through one store, so a path that was read before can be compared without a look into the database.
 */
export class HeadMoves {
  /** The number of each conversation's last move, oldest first. */
  readonly #moves = new Map<string, number>();
  #last = 0;
  #forgotten = 0;

  /** The mark of a read that sees every write queued so far. */
  get version(): number {
    return this.#last;
  }

  /** Called in the same step in which the write is queued. */
  note(conversationId: string): void {
    this.#last += 1;
    this.#moves.delete(conversationId);
    this.#moves.set(conversationId, this.#last);
    if (this.#moves.size <= maxMoves) return;
    for (const [oldest, number] of this.#moves) {
      this.#moves.delete(oldest);
      this.#forgotten = number;
      return;
    }
  }

  /** Whether the conversation's head may have moved after the read with this mark. */
  hasMovedSince(version: number, conversationId: string): boolean {
    return (this.#moves.get(conversationId) ?? this.#forgotten) > version;
  }
}
