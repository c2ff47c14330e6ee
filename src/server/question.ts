import type { ConversationStore } from "../ports/conversation-store.ts";
import { followLog } from "../ports/follow-log.ts";
import { userText } from "../ports/item.ts";
import type { LiveTurn } from "../ports/peers.ts";
import { isTerminal, laneOf, type TurnEvent, voiceOf } from "../ports/turn-event.ts";
import type { KeptTurn } from "../ports/turn-log.ts";

/** A question in a conversation, as its followers get it. */
export interface Question {
  readonly conversationId: string;
  readonly requestId: string;
  readonly kind: "persona" | "personas";
  readonly message: string;
  readonly personaIds: readonly string[];
}

/** The question of a running turn; `undefined` if it belongs to no conversation. */
export function questionOf({ record, request }: LiveTurn): Question | undefined {
  const { id, conversationId } = record;
  if (request.kind === "responses" || conversationId === undefined) return undefined;
  const { kind, input, personaIds } = request;
  return { conversationId, requestId: id, kind, message: userText(input), personaIds };
}

/** The question of an ended turn, from its conversation and its log; `undefined` if it is no longer in the conversation. */
export async function questionOfEnded(
  { record, log }: KeptTurn,
  conversations: Pick<ConversationStore, "ofRequest">,
): Promise<Question | undefined> {
  const { owner, id, conversationId } = record;
  if (conversationId === undefined || !log.ended) return undefined;
  const [asked] = await conversations.ofRequest(owner, conversationId, id);
  if (asked === undefined) return undefined;
  const cast: Set<string> = new Set();
  let kind: Question["kind"] | undefined;
  for await (const batch of followLog(log, { after: 0 })) {
    if (batch.type === "trimmed") for (const { lane } of batch.lanes) add(cast, lane);
    else if (batch.type === "events")
      for (const { event } of batch.events) {
        for (const lane of lanesOf(event)) add(cast, lane);
        if (isTerminal(event)) kind = kindOf(event);
      }
  }
  const personaIds = [...cast];
  kind ??= personaIds.length > 1 ? "personas" : "persona";
  return { conversationId, requestId: id, kind, message: asked.text, personaIds };
}

function add(cast: Set<string>, lane: string | undefined): void {
  const { personaId } = voiceOf(lane);
  if (personaId !== undefined) cast.add(personaId);
}

/** Lanes start in the order in which the request names its personas. */
function lanesOf(event: TurnEvent): readonly (string | undefined)[] {
  if (event.type === "status" || event.type === "text") return [event.lane];
  if (event.type !== "answer" || event.answer.kind === "responses") return [];
  return event.answer.kind === "persona" ? [laneOf(event.answer.answer)] : event.answer.answers.map(laneOf);
}

function kindOf(event: TurnEvent): Question["kind"] | undefined {
  if (event.type !== "answer") return undefined;
  return event.answer.kind === "personas" ? "personas" : "persona";
}
