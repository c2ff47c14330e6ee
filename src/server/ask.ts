import type { Caller } from "../ports/caller.ts";
import type { Hold } from "../ports/held-bytes.ts";
import type { TurnRecord } from "../ports/turn-log.ts";
import type { ResumableRequest, TurnRequest, WhenInterrupted, WhenUnwatched } from "../ports/turn-request.ts";

/** A request for an answer, as a session passes it on. */
export interface Ask {
  readonly caller: Caller;
  readonly id: string;
  /** The client chose the id, so a turn of this name may exist. */
  readonly isNamed: boolean;
  readonly request: TurnRequest;
  /** Counts the request's memory, or returns the hold made when it started to wait. Called once, for a new request. */
  readonly hold: () => Hold;
  /** The client's message without the server's defaults: the same name and content mean the same request. */
  readonly content: object;
  /** The conversation that the client named, or `new`. */
  readonly conversation: string | undefined;
  /** The connection's own conversation, for a request that names none. If it no longer exists, a new one starts. */
  readonly ownConversation?: string | undefined;
  readonly whenUnwatched: WhenUnwatched;
  readonly whenInterrupted: WhenInterrupted;
  /** The number of the error that ended the request. It runs again if that is still its end and can be retried. */
  readonly retrySeq?: number;
}

/**
 * A digest that is equal for equal JSON contents, in any order of their keys. Stored turns keep it, so the digested text must never
 * change for the same contents.
 */
export function contentHash(content: unknown, digest: (text: string) => string): string {
  return digest(JSON.stringify(content, sortedKeys));
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const given = value as Readonly<Record<string, unknown>>;
  // Without a prototype, `__proto__` is a key like any other.
  const sorted: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(given).sort()) sorted[key] = given[key];
  return sorted;
}

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
  return request.kind === "responses" && request.inBackground === true;
}
