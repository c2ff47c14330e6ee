import type { ConversationStore } from "../../ports/conversation-store.ts";
import { storableItems } from "../../ports/item.ts";
import type { Persona } from "../../ports/persona.ts";
import type { FinishReason, ProviderChoice } from "../../ports/provider.ts";
import { type CancelReport, laneKey, type PersonaAnswer, type TurnAnswer } from "../../ports/turn-event.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ChatDependencies, ReplyEnd, TurnContext } from "../chat-context.ts";
import type { Member } from "../choose-provider.ts";
import { runLane } from "../lane.ts";
import type { LaneResult } from "../lane-result.ts";
import { type PersonaRequest, personaRequest } from "../prompt/persona-request.ts";
import type { RecoveredLane } from "../recovered-lanes.ts";
import { isUnpaid, sumUsage } from "../usage.ts";
import type { ConversationTurn } from "./conversation-turn.ts";
import type { Policy, Said, Speech } from "./policy.ts";

/** Everything that was looked up before the turn started. */
interface Cast {
  /** In the order of the request. */
  readonly members: readonly Member[];
  /** Absent for a request that brings its history. */
  readonly conversation: ConversationTurn | undefined;
  /** Lanes that had ended in another process, or that a client had stopped there. */
  readonly over?: readonly RecoveredLane[];
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
    const kept = cast.over?.find((lane) => lane.key === key);
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
    if (kept?.ended === false && lane.showText)
      await context.emit([{ type: "text", lane: key, text: "", final: true }]);
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

/** The result of a lane that is not answered again. Unless the log says that it completed, it failed or was stopped. */
function keptResult({ status, text, link, isStopped }: RecoveredLane, choice: ProviderChoice): LaneResult {
  const { api, model = choice.model } = link ?? choice;
  const told = { text, model, api, simulated: choice.provider.simulated };
  if (status !== undefined) return { status, ...told };
  if (isStopped !== true) return { status: "failed", ...told, error: new TroupeError("interrupted") };
  // Its connection to the provider was closed with the process that had it.
  const cancel = { upstreamClosed: true, closedInMs: 0 };
  return { status: "cancelled", ...told, finishReason: "cancelled", cancel };
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

/** Turns the answers into the turn's end. If all failed, it is an error; if none completed and one was stopped, a cancel. */
function conclude(
  request: PersonaRequest,
  answers: readonly PersonaAnswer[],
  conversationId: string | undefined,
  signal: AbortSignal,
): ReplyEnd {
  const [first] = answers;
  if (first === undefined) throw new Error("A turn without personas.");
  const completed = answers.filter((answer) => answer.status === "completed");
  const stopped = signal.aborted && completed.length < answers.length;
  if (stopped && signal.reason instanceof TroupeError) throw signal.reason;
  const cancel = slowest(answers);
  if (answers.every((answer) => answer.status === "failed")) {
    const isRefused = answers.every(({ error }) => error !== undefined && isUnpaid(error));
    throw request.kind === "persona" || isRefused
      ? (first.error ?? new TroupeError("internal_error"))
      : new TroupeError("all_personas_failed", {
          retryable: answers.some((answer) => answer.error?.retryable),
        });
  }
  const cancelled = stopped || completed.length === 0;
  const end: Pick<TurnAnswer, "finishReason" | "cancel"> = {
    finishReason: cancelled ? "cancelled" : finishReasonOf(completed),
    ...(cancelled && cancel !== undefined ? { cancel } : {}),
  };
  const status = cancelled ? "cancelled" : "completed";
  const place = conversationId === undefined ? {} : { conversationId };
  if (request.kind === "persona") {
    return { type: "answer", status, answer: { ...end, kind: "persona", answer: first, ...place } };
  }
  const outcome = completed.length === answers.length ? "complete" : "degraded";
  const combined = answers
    .filter((answer) => answer.text !== "")
    .map((answer) => `${answer.persona.name}:\n${answer.text}`)
    .join("\n\n");
  const usage = sumUsage(answers.map((answer) => answer.usage));
  return {
    type: "answer",
    status,
    answer: {
      ...end,
      kind: "personas",
      answers,
      combined,
      outcome,
      ...place,
      ...(usage === undefined ? {} : { usage }),
    },
  };
}

/** The first persona's reason, unless a budget cut any of them short. */
function finishReasonOf(completed: readonly PersonaAnswer[]): FinishReason {
  const reasons = completed.map(({ finishReason }) => finishReason);
  return reasons.includes("budget") ? "budget" : (reasons[0] ?? "stop");
}

/** The cancel report of the whole turn: that of a lane that could not be closed, else that of the slowest. */
function slowest(answers: readonly PersonaAnswer[]): CancelReport | undefined {
  const reports = answers.map((answer) => answer.cancel).filter((report) => report !== undefined);
  const [worst] = reports.toSorted(
    (a, b) => Number(a.upstreamClosed) - Number(b.upstreamClosed) || b.closedInMs - a.closedInMs,
  );
  return worst;
}

/** A speech that has ended, as its conversation gets it. */
interface SpokenText {
  readonly member: { readonly persona: Persona };
  readonly result: Pick<LaneResult, "text" | "items" | "status">;
  /** The id that clients were already told. */
  readonly toldId: string | undefined;
}

/** Whether a speech has anything to store. */
function isStorable({ text, items }: Pick<LaneResult, "text" | "items">): boolean {
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
