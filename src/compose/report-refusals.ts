import type { IncomingMessage } from "node:http";
import { hostName, readOrigin } from "../doors/identity/access.ts";
import type { ClientAddress } from "../doors/identity/client-address.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "./logger.ts";

export interface RefusalReportsOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly clientAddress: ClientAddress;
}

/** A refusal, as its client reads it. */
interface ReportedRefusal {
  readonly status: number;
  readonly message: string;
}

/** Refusals of the same kind within this time make one line. */
const quietMs = 10_000;
/** A longer name or origin is cut. */
const maxChars = 100;

/**
 * Logs refused requests: for each kind one line per 10 s, with the number left out. Of the client's own text only a valid host name and a
 * valid origin are logged, both cut.
 */
export function reportRefusals({ logger, clock, clientAddress }: RefusalReportsOptions) {
  /** By sentence: there are a dozen, and one for each limit that a key may have. */
  const told = new Map<string, { readonly atMs: number; leftOut: number }>();

  return ({ status, message }: ReportedRefusal, request: IncomingMessage): void => {
    const last = told.get(message);
    if (last !== undefined && clock.now() - last.atMs < quietMs) {
      last.leftOut += 1;
      return;
    }
    told.set(message, { atMs: clock.now(), leftOut: 0 });
    const { host, origin } = request.headers;
    logger.info(
      {
        status,
        address: clientAddress(request),
        host: hostName(host)?.slice(0, maxChars),
        origin: readOrigin(origin)?.slice(0, maxChars),
        leftOut: last?.leftOut ?? 0,
      },
      `a request was refused: ${message}`,
    );
  };
}
