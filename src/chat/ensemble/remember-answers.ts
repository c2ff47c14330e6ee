import type { ConversationStore } from "../../ports/conversation-store.ts";
import type { Persona } from "../../ports/persona.ts";
import type { LaneResult } from "../lane-result.ts";
import type { ConversationTurn } from "./conversation-turn.ts";

/** A speech that has ended, as its conversation gets it. */
interface SpokenText {
  readonly member: { readonly persona: Persona };
  readonly result: Pick<LaneResult, "text" | "items" | "status">;
  /** The id that clients were already told. */
  readonly toldId: string | undefined;
}

/** Whether a speech has anything to store. */
export function isStorable({ text, items }: Pick<LaneResult, "text" | "items">): boolean {
  return text !== "" || items !== undefined;
}

/**
 * Stores the answers in the order in which they were asked for, and makes the last one the head. Returns the message ids in the same
 * order, `undefined` for an empty answer.
 */
export async function rememberAnswers(
  store: ConversationStore,
  { owner, id, questionId, requestId, parentId, answered = [], keepsHead = false }: ConversationTurn,
  spoken: readonly SpokenText[],
): Promise<readonly (string | undefined)[]> {
  const lastAnswered = answered.at(-1);
  if (lastAnswered !== undefined) {
    const head = await store.head(owner, id);
    // The process died after storing the answers and before moving the head, unless the conversation has since gone on elsewhere.
    if (head?.messageId === parentId) await store.moveHead(owner, id, lastAnswered.id);
    return spoken.map(
      ({ member, toldId }) => toldId ?? answered.find(({ personaId }) => personaId === member.persona.id)?.id,
    );
  }
  const said = spoken.filter(({ result }) => isStorable(result));
  const stored = await store.append(
    owner,
    id,
    questionId,
    said.map(({ member: { persona }, result: { text, items, status }, toldId }) => ({
      ...(toldId === undefined ? {} : { id: toldId }),
      role: "assistant" as const,
      personaId: persona.id,
      personaName: persona.name,
      text,
      ...(items === undefined ? {} : { items }),
      status,
      ...(requestId === undefined ? {} : { requestId }),
    })),
  );
  const last = stored?.at(-1);
  if (last !== undefined && !keepsHead) await store.moveHead(owner, id, last);
  const ids = stored?.values();
  return spoken.map(({ result }) => (isStorable(result) ? ids?.next().value : undefined));
}
