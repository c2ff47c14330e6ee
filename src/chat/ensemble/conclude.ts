import type { FinishReason } from "../../ports/provider.ts";
import type { CancelReport, PersonaAnswer, TurnAnswer } from "../../ports/turn-event.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { PersonaRequest } from "../prompt/persona-request.ts";
import type { ReplyEnd } from "../reply.ts";
import { isUnpaid, sumUsage } from "../usage.ts";

/** Turns the answers into the turn's end. If all failed, it is an error; if none completed and one was stopped, a cancel. */
export function conclude(
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
