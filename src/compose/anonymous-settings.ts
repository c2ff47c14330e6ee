import { z } from "zod";
import type { CallersOptions } from "../doors/identity/callers.ts";
import type { CallerLimits } from "../ports/caller.ts";

/** No limit unless one is set. */
const limit = z.coerce.number().int().min(1).optional();

/** The settings that limit callers without keys, because such a caller can take another name for every request. */
export const anonymousSettings = {
  maxConnectionsPerAddress: {
    name: "TROUPE_MAX_CONNECTIONS_PER_ADDRESS",
    schema: limit,
    help: "max sockets of callers without keys from one address",
  },
  maxRequestsPerAddress: {
    name: "TROUPE_MAX_REQUESTS_PER_ADDRESS",
    schema: limit,
    help: "max requests in flight of callers without keys from one address",
  },
  addressRequestsPerMinute: {
    name: "TROUPE_ADDRESS_REQUESTS_PER_MINUTE",
    schema: limit,
    help: "max requests a minute of callers without keys from one address",
  },
  addressTokensPerDay: {
    name: "TROUPE_ADDRESS_TOKENS_PER_DAY",
    schema: limit,
    help: "max tokens a day of callers without keys from one address, since the server started",
  },
  maxAnonymousConnections: {
    name: "TROUPE_MAX_ANONYMOUS_CONNECTIONS",
    schema: limit,
    help: "max sockets of all callers without keys together",
  },
  maxAnonymousRequests: {
    name: "TROUPE_MAX_ANONYMOUS_REQUESTS",
    schema: limit,
    help: "max requests in flight of all callers without keys together",
  },
  anonymousRequestsPerMinute: {
    name: "TROUPE_ANONYMOUS_REQUESTS_PER_MINUTE",
    schema: limit,
    help: "max requests a minute of all callers without keys together",
  },
  anonymousTokensPerDay: {
    name: "TROUPE_ANONYMOUS_TOKENS_PER_DAY",
    schema: limit,
    help: "max tokens a day of all callers without keys together",
  },
} as const;

type AnonymousSettings = {
  readonly [K in keyof typeof anonymousSettings]: number | undefined;
};

/** The limits of callers without keys, in the form that their groups have. */
export function anonymousLimitsOf(settings: AnonymousSettings): CallersOptions["anonymousLimits"] {
  return {
    perAddress: limitsOf(
      settings.maxConnectionsPerAddress,
      settings.maxRequestsPerAddress,
      settings.addressRequestsPerMinute,
      settings.addressTokensPerDay,
    ),
    inAll: limitsOf(
      settings.maxAnonymousConnections,
      settings.maxAnonymousRequests,
      settings.anonymousRequestsPerMinute,
      settings.anonymousTokensPerDay,
    ),
  };
}

function limitsOf(
  connections: number | undefined,
  requestsInFlight: number | undefined,
  requestsPerMinute: number | undefined,
  tokensPerDay: number | undefined,
): CallerLimits {
  return {
    ...(connections === undefined ? {} : { connections }),
    ...(requestsInFlight === undefined ? {} : { requestsInFlight }),
    ...(requestsPerMinute === undefined ? {} : { requestsPerMinute }),
    ...(tokensPerDay === undefined ? {} : { tokensPerDay }),
  };
}
