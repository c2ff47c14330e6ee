import type { Persona } from "../ports/persona.ts";
import type { FinishReason } from "../ports/provider.ts";
import type { ProviderChoice } from "../ports/provider-catalog.ts";
import type { CancelReport, PersonaAnswer, TurnAnswer } from "../ports/turn-event.ts";
import { type ErrorCode, TroupeError } from "../protocol/errors.ts";
import type { ChatDependencies, TurnContext } from "./chat-context.ts";
import { type ConversationTurn, rememberAnswers } from "./conversation-turn.ts";
import { type LaneResult, runLane } from "./lane.ts";
import { type PersonaRequest, personaRequest } from "./prompt/persona-request.ts";
import type { RecoveredLane } from "./recovered-lanes.ts";
import type { ReplyEnd } from "./reply.ts";
import { sumUsage } from "./usage.ts";

/** Everything that was looked up before the turn started. */
export interface Cast {
  readonly personas: readonly Persona[];
  readonly choice: ProviderChoice;
  readonly conversation: ConversationTurn;
  /** Lanes that had ended in another process. */
  readonly ended?: readonly RecoveredLane[];
}

/**
 * Lets every persona answer at the same time, each in its own lane. A failed lane does not end the others; the turn fails if all of them
 * fail. All answers are in the conversation before the turn ends, and partial ones are marked.
 */
export async function answerPersonas(
  request: PersonaRequest,
  cast: Cast,
  dependencies: ChatDependencies,
  context: TurnContext,
): Promise<ReplyEnd> {
  const { emit } = context;
  const whenOne = request.kind === "persona";
  /** Ids of messages that clients were told before they are stored, by index. */
  const told: (string | undefined)[] = [];
  async function answerOne(persona: Persona, index: number): Promise<LaneResult> {
    const kept = cast.ended?.find(({ name }) => name === persona.id);
    if (kept?.answer !== undefined) {
      told[index] = kept.answer.messageId;
      return resultOf(kept.answer);
    }
    const answered = kept === undefined ? undefined : keptResult(kept, cast.choice.model);
    const result =
      answered ??
      (await runLane(
        {
          id: persona.id,
          conversationId: cast.conversation.id,
          choice: cast.choice,
          request: personaRequest(request, persona, cast, dependencies),
          pacing: request.pacing,
          showText: whenOne || request.showText,
          budget: context.budget,
          onSent: context.onSent,
          isFull: context.isFull,
          signal: context.laneSignal(persona.id),
        },
        dependencies,
        emit,
      ));
    if (whenOne) return result;
    told[index] = result.text === "" ? undefined : dependencies.clock.newId();
    const answer = personaAnswer(persona, index, cast.choice, result, told[index]);
    await emit([{ type: "lane-answer", answer }]);
    return result;
  }
  const results = await Promise.all(cast.personas.map(answerOne));

  const messageIds = await rememberAnswers(dependencies.conversations, cast, results, told);
  const answers = cast.personas.map((persona, index) =>
    personaAnswer(persona, index, cast.choice, results[index] as LaneResult, messageIds[index]),
  );
  return conclude(request, answers, cast.conversation.id, context.signal);
}

function resultOf({ status, text, model, finishReason, usage, error, cancel }: PersonaAnswer): LaneResult {
  return {
    status,
    text,
    model,
    ...(finishReason === undefined ? {} : { finishReason }),
    ...(usage === undefined ? {} : { usage }),
    ...(error === undefined ? {} : { error }),
    ...(cancel === undefined ? {} : { cancel }),
  };
}

/** The result of a lane whose last text is in the log. Unless the log says that it completed, it failed or was stopped. */
function keptResult({ status = "failed", text }: RecoveredLane, model: string): LaneResult {
  const error = status === "failed" ? { error: new TroupeError("interrupted") } : {};
  return { status, text, model, ...error };
}

function personaAnswer(
  { id, name, description }: Persona,
  index: number,
  choice: ProviderChoice,
  result: LaneResult,
  messageId?: string,
): PersonaAnswer {
  const { response: _, isCut: __, ...rest } = result;
  return {
    persona: { id, name, description },
    index,
    api: choice.api,
    simulated: choice.provider.simulated,
    ...rest,
    ...(messageId === undefined ? {} : { messageId }),
  };
}

/** The codes of calls that no budget could pay. */
const unpaid: ReadonlySet<ErrorCode> = new Set(["budget_exhausted", "larger_than_day_budget"]);

/** Turns the answers into the turn's end. If all failed, it is an error; if none completed and one was stopped, a cancel. */
function conclude(
  request: PersonaRequest,
  answers: readonly PersonaAnswer[],
  conversationId: string,
  signal: AbortSignal,
): ReplyEnd {
  const [first] = answers;
  if (first === undefined) throw new Error("A turn without personas.");
  const completed = answers.filter((answer) => answer.status === "completed");
  const stopped = signal.aborted && completed.length < answers.length;
  if (stopped && signal.reason instanceof TroupeError) throw signal.reason;
  const cancel = slowest(answers);
  if (answers.every((answer) => answer.status === "failed")) {
    const isRefused = answers.every(({ error }) => error !== undefined && unpaid.has(error.code));
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
  if (request.kind === "persona") {
    return { type: "answer", status, answer: { ...end, kind: "persona", answer: first, conversationId } };
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
      conversationId,
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
