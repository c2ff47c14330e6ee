import { storableItems } from "../../ports/item.ts";
import type { ProviderChoice } from "../../ports/provider-catalog.ts";
import { laneKey, type PersonaAnswer } from "../../ports/turn-event.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ChatDependencies, TurnContext } from "../chat-context.ts";
import { runLane } from "../lane.ts";
import type { LaneResult } from "../lane-result.ts";
import { type PersonaRequest, personaRequest } from "../prompt/persona-request.ts";
import type { RecoveredLane } from "../recovered-lanes.ts";
import type { ReplyEnd } from "../reply.ts";
import { conclude } from "./conclude.ts";
import type { ConversationTurn } from "./conversation-turn.ts";
import type { Member } from "./find-members.ts";
import type { Policy, Said, Speech } from "./policy.ts";
import { isStorable, rememberAnswers } from "./remember-answers.ts";

/** Everything that was looked up before the turn started. */
interface Cast {
  /** In the order of the request. */
  readonly members: readonly Member[];
  /** Absent for a request that brings its history. */
  readonly conversation: ConversationTurn | undefined;
  /** Lanes that had ended in another process. */
  readonly ended?: readonly RecoveredLane[];
}

/** A speech that has ended, with everything that its turn's end needs. */
interface Spoken extends Said {
  readonly member: Member;
  readonly result: LaneResult;
  /** The id of its message, if clients were told it before the message is stored. */
  readonly toldId: string | undefined;
}

/**
 * Runs the speeches that a policy decides on, each in its own lane. A failed lane does not end the others; the turn fails if all of them
 * fail. All answers are in the conversation before the turn ends, and partial ones are marked.
 */
export async function runStage(
  policy: Policy,
  request: PersonaRequest,
  cast: Cast,
  dependencies: ChatDependencies,
  context: TurnContext,
): Promise<ReplyEnd> {
  const { members, conversation } = cast;
  const personas = members.map(({ persona }) => persona);
  const whenOne = request.kind === "persona";

  const answerOf = (one: Spoken, messageId: string | undefined) =>
    personaAnswer(one, members.indexOf(one.member), messageId);

  async function speak(speech: Speech): Promise<Spoken> {
    const member = members.find(({ persona }) => persona.id === speech.personaId);
    if (member === undefined) throw new Error("A policy let a persona speak that is not in the cast.");
    const { persona, choice } = member;
    const key = laneKey(speech);
    const kept = cast.ended?.find((lane) => lane.key === key);
    if (kept?.answer !== undefined)
      return spoken(speech, member, resultOf(kept.answer), kept.answer.messageId);
    const lane = {
      key,
      ...(conversation === undefined ? {} : { conversationId: conversation.id }),
      choice,
      request: personaRequest(request, { speech, persona, personas, choice, conversation }, dependencies),
      pacing: request.pacing,
      includeSources: request.includeSources === true,
      includeUsage: request.includeUsage === true,
      showText: whenOne || request.showText,
      budget: context.budget,
      onSent: context.onSent,
      isFull: context.isFull,
      signal: context.laneSignal(key),
      // Among several, the lane's answer follows at once.
      emitEnd: whenOne ? undefined : context.emitWithNext,
    };
    const result =
      kept === undefined
        ? withStorableItems(await runLane(lane, dependencies, context.emit))
        : keptResult(kept, choice);
    if (whenOne) return spoken(speech, member, result, undefined);
    const isStored = conversation !== undefined && isStorable(result);
    const toldId = isStored ? dependencies.clock.newId() : undefined;
    const ended = spoken(speech, member, result, toldId);
    await context.emit([{ type: "lane-answer", answer: answerOf(ended, toldId) }]);
    return ended;
  }

  const ids = personas.map(({ id }) => id);
  const said: Spoken[] = [];
  for (let next = policy(ids, said); next.length > 0; next = policy(ids, said)) {
    said.push(...(await Promise.all(next.map(speak))));
    if (context.signal.aborted) break;
  }
  const messageIds =
    conversation === undefined ? [] : await rememberAnswers(dependencies.conversations, conversation, said);
  const answers = said.map((one, index) => answerOf(one, messageIds[index]));
  return conclude(request, answers, conversation?.id, context.signal);
}

function spoken(speech: Speech, member: Member, result: LaneResult, toldId: string | undefined): Spoken {
  return { speech, member, result, toldId, status: result.status, text: result.text };
}

function withStorableItems({ items: made, ...result }: LaneResult): LaneResult {
  const items = storableItems(made);
  return items === undefined ? result : { ...result, items };
}

function resultOf(answer: PersonaAnswer): LaneResult {
  const { status, text, model, api, simulated, finishReason, usage, error, cancel } = answer;
  return {
    ...{ status, text, model, api, simulated },
    ...(finishReason === undefined ? {} : { finishReason }),
    ...(usage === undefined ? {} : { usage }),
    ...(error === undefined ? {} : { error }),
    ...(cancel === undefined ? {} : { cancel }),
  };
}

/** The result of a lane whose last text is in the log. Unless the log says that it completed, it failed or was stopped. */
function keptResult({ status = "failed", text, link }: RecoveredLane, choice: ProviderChoice): LaneResult {
  const error = status === "failed" ? { error: new TroupeError("interrupted") } : {};
  const { api, model = choice.model } = link ?? choice;
  return { status, text, model, api, simulated: choice.provider.simulated, ...error };
}

function personaAnswer(
  { speech, member, result }: Spoken,
  index: number,
  messageId: string | undefined,
): PersonaAnswer {
  const { id, name, description } = member.persona;
  const { response: _, items: __, isCut: ___, ...rest } = result;
  const lane = laneKey(speech);
  return {
    persona: { id, name, description },
    ...(lane === id ? {} : { lane }),
    index,
    ...rest,
    ...(messageId === undefined ? {} : { messageId }),
  };
}
