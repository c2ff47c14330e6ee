import type { Clock } from "../../ports/clock.ts";
import type { NewMessage, TurnQuestion } from "../../ports/conversation-store.ts";
import type { TurnRecord } from "../../ports/turn-log.ts";
import { rowsOfMessages, titleFrom } from "../database/conversation-rows.ts";
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
  { owner, conversationId, parentId, pathChars }: MessagePlace,
  messages: readonly Omit<NewMessage, "parentId">[],
  clock: Pick<Clock, "newId" | "wallTimeMs">,
): { readonly ids: readonly string[]; readonly writes: readonly Write[] } {
  const rows = rowsOfMessages({ parentId, pathChars }, messages, clock);
  const writes = rows.map(
    (row): Write => [
      "insertMessage",
      ...[row.id, row.parentId, row.requestId, row.role, row.personaId, row.personaName, row.text, row.items],
      ...[row.status, row.atMs, row.pathChars, conversationId, owner],
    ],
  );
  const [first] = rows;
  if (first !== undefined)
    writes.push(["addedTo", titleFrom(messages) ?? "", first.atMs, conversationId, owner]);
  return { ids: rows.map(({ id }) => id), writes };
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
