import type { TurnRecord } from "../ports/turn-log.ts";
import type { ResumableRequest } from "../ports/turn-request.ts";

/** What is kept of a request beside its log: nothing, unless a process after this one could do something with it. */
export function resumable(
  asked: ResumableRequest,
  { transient = false }: TurnRecord,
): ResumableRequest | undefined {
  const { caller, request, whenUnwatched, whenInterrupted } = asked;
  const isOfUse = runsOn(asked) || whenInterrupted === "restart";
  return isOfUse && !transient ? { caller, request, whenUnwatched, whenInterrupted } : undefined;
}

/** The provider goes on with it whether somebody is connected or not. */
export function runsOn({ request }: ResumableRequest): boolean {
  return request.kind === "responses" && request.options.background === true;
}
