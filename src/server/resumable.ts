import type { TurnRecord } from "../ports/turn-log.ts";
import type { ResumableRequest } from "../ports/turn-request.ts";

/** The part of a request to store beside its log: `undefined` unless a later process could use it. */
export function resumable(
  asked: ResumableRequest,
  { transient = false }: TurnRecord,
): ResumableRequest | undefined {
  const { caller, request, whenUnwatched, whenInterrupted } = asked;
  const isOfUse = runsOn(asked) || whenInterrupted === "restart";
  return isOfUse && !transient ? { caller, request, whenUnwatched, whenInterrupted } : undefined;
}

/** Whether the provider goes on with the request even if no process is connected to it. */
export function runsOn({ request }: ResumableRequest): boolean {
  return request.kind === "responses" && request.options.background === true;
}
