import { type RecoveredLane, recoverLanes } from "../chat/recovered-lanes.ts";
import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import { followLog } from "../ports/follow-log.ts";
import type { Observer } from "../ports/observer.ts";
import type { PersonaStore } from "../ports/persona.ts";
import { type TurnEvent, voiceOf } from "../ports/turn-event.ts";
import type { KeptTurn, TurnRecord } from "../ports/turn-log.ts";
import { isStorageUnavailable, type TroupeError } from "../protocol/errors.ts";

/** The stores needed to put an answer into its conversation. */
export interface MessageStores {
  readonly conversations: ConversationStore;
  readonly personas: PersonaStore;
}

/** Stores the text of a turn that was cut off as answers to its question, unless that has already been done. */
export async function rememberPartial(
  { owner, id, conversationId }: TurnRecord,
  lanes: readonly RecoveredLane[],
  { conversations, personas }: MessageStores,
): Promise<void> {
  if (conversationId === undefined) return;
  const [question, ...answers] = await conversations.ofRequest(owner, conversationId, id);
  if (question === undefined) return;
  const lastAnswer = answers.at(-1);
  if (lastAnswer !== undefined) {
    const head = await conversations.head(owner, conversationId);
    // The process died after storing the answers and before moving the head, unless the conversation has since gone on elsewhere.
    if (head?.messageId === question.parentId)
      await conversations.moveHead(owner, conversationId, lastAnswer.id);
    return;
  }
  const said = await Promise.all(
    lanes
      .filter((lane) => lane.text !== "")
      .map(async ({ key, text, status = "failed" }) => {
        const { personaId = "" } = voiceOf(key);
        const personaName = (await personas.find(owner, personaId))?.name ?? personaId;
        return { role: "assistant" as const, personaId, personaName, text, status, requestId: id };
      }),
  );
  const ids = await conversations.append(owner, conversationId, question.id, said);
  const last = ids?.at(-1);
  if (last !== undefined) await conversations.moveHead(owner, conversationId, last);
}

interface RememberLater {
  /** Called when a turn has ended with an error. */
  noteEnd(turn: KeptTurn, error: TroupeError): void;
  /** Tries once more to store the remaining turns, then gives them up. */
  close(): Promise<void>;
}

/** Time until the next try. */
const retryMs = 5_000;

/**
 * Stores the answers of turns that ended because storage failed. Their text could not be put into their conversation either, so that is
 * retried until storage works. The observer is told if anything else prevents it.
 */
export function createRememberLater(
  stores: MessageStores & { readonly clock: Clock },
  observer: Observer,
): RememberLater {
  const closing = new AbortController();
  const waiting = new Set<Promise<void>>();

  async function remember({ record, log }: KeptTurn): Promise<void> {
    const events: TurnEvent[] = [];
    for await (const batch of followLog(log, { after: 0 })) {
      if (batch.type === "events") events.push(...batch.events.map(({ event }) => event));
    }
    for (;;) {
      await stores.clock.sleep(retryMs, closing.signal);
      try {
        return await rememberPartial(record, recoverLanes(events), stores);
      } catch (fault) {
        if (!isStorageUnavailable(fault)) throw fault;
        // The failing storage was reported when it started to fail.
        if (closing.signal.aborted) return;
      }
    }
  }

  return {
    noteEnd(turn, error) {
      if (!isStorageUnavailable(error) || turn.record.conversationId === undefined) return;
      const remembered = remember(turn)
        .catch((error: unknown) => observer.faulted?.({ where: "turn", error, requestId: turn.record.id }))
        .finally(() => waiting.delete(remembered));
      waiting.add(remembered);
    },
    async close() {
      closing.abort();
      await Promise.all(waiting);
    },
  };
}
