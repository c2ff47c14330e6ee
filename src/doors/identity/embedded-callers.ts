import type { IncomingMessage } from "node:http";
import { z } from "zod";
import type { Caller } from "../../ports/caller.ts";
import type { Clock } from "../../ports/clock.ts";
import { faultIn, inPlainWords } from "../../protocol/fault-in.ts";
import { type Callers, keyIdOfUser } from "./callers.ts";
import { refusals } from "./refusals.ts";

/** A user of the application that a server is embedded in. */
export interface AuthenticatedCaller {
  /** Name of the user, 1 to 128 characters without control characters. The user's requests and conversations are stored under it. */
  readonly owner: string;
  /** Limits of this user, each at least 1. An absent limit has the default of a key. */
  readonly limits?: {
    readonly connections?: number;
    readonly requestsPerMinute?: number;
    readonly requestsInFlight?: number;
    readonly tokensPerDay?: number;
  };
}

/**
 * Returns the application's user that sent a request, by its cookies or headers; `undefined` answers 401. It is called for every
 * handshake and every HTTP request under `/api`, and has ten seconds. If it throws, the error is logged and the client gets 500.
 */
export type Authenticate = (
  request: IncomingMessage,
) => AuthenticatedCaller | undefined | Promise<AuthenticatedCaller | undefined>;

interface EmbeddedCallersOptions {
  readonly authenticate: Authenticate;
  readonly clock: Clock;
}

const patienceMs = 10_000;

const limit = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional();
/** Strict, because a misspelt limit would not limit. */
const answerSchema = z.strictObject({
  owner: z
    .string()
    .regex(/^\P{Cc}{1,128}$/u, "must have 1 to 128 characters, none of them a control character")
    // Lone halves of different surrogate pairs would become the same name in the store.
    .refine((owner) => owner.isWellFormed(), "must be well-formed Unicode"),
  limits: z
    .strictObject({
      connections: limit,
      requestsPerMinute: limit,
      requestsInFlight: limit,
      tokensPerDay: limit,
    })
    .optional(),
});

/** Identifies callers by the embedding application alone; keys and tickets do not count. */
export function createEmbeddedCallers({ authenticate, clock }: EmbeddedCallersOptions): Callers {
  async function ask(request: IncomingMessage): Promise<AuthenticatedCaller | undefined> {
    const late = Promise.withResolvers<never>();
    const stopTimer = clock.callAfter(patienceMs, () =>
      late.reject(new Error(`authenticate has not answered within ${patienceMs / 1_000} seconds`)),
    );
    try {
      return await Promise.race([authenticate(request), late.promise]);
    } finally {
      stopTimer();
    }
  }

  return {
    admission: "authenticate",
    isAdmitted: () => true,
    async identify(_credentials, request) {
      const answer = await ask(request);
      return answer === undefined ? refusals.needsLogin : callerOf(answer);
    },
  };
}

/** The caller for a user. Throws if the application's answer is malformed. */
function callerOf(answer: AuthenticatedCaller): Caller {
  const parsed = answerSchema.safeParse(answer, { error: inPlainWords });
  if (!parsed.success) {
    const { field = "the caller", detail } = faultIn(parsed.error);
    throw new TypeError(`authenticate answered a bad caller: ${field} ${detail}`);
  }
  const { owner, limits = {} } = parsed.data;
  const keyId = keyIdOfUser(owner);
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  return { owner: keyId, keyId, limits: Object.fromEntries(given) };
}
