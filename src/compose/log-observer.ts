import { isUnpaid } from "../chat/usage.ts";
import type { Clock } from "../ports/clock.ts";
import type {
  BreakerChange,
  Fault,
  LaneFailure,
  MessengerChange,
  Observer,
  RecoveredTurns,
  RefusalFacts,
  StorageChange,
  TurnEnd,
  TurnFacts,
  Warning,
} from "../ports/observer.ts";
import { isStorageUnavailable, type TroupeError } from "../protocol/errors.ts";
import { describeCause } from "./describe-cause.ts";

/** The server's log; `pino` fits, as does anything with these four methods. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The line of each fault. */
const faultLines: Readonly<Record<Fault["where"], string>> = {
  connection: "a connection or a request of it failed",
  frame: "a frame could not be handled",
  handshake: "a handshake could not be checked",
  http: "an HTTP request failed",
  turn: "a request's log failed",
  storage: "something could not be read from the storage or written to it",
  recovery: "requests could not be recovered",
  worker: "a message could not be sent to a worker",
  observer: "an observer failed; its further failures are not reported",
};

/** Refusals of the same kind within this time make one line. */
const quietMs = 10_000;

/**
 * Writes the log: how requests ended, one line each, refusals, and faults. The line of a failure has the sentence that the client reads,
 * then the message of the provider or the system. Stacks are logged at `debug`, and for faults of the server itself.
 */
export class LogObserver implements Observer {
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** Refusals by sentence: there are a dozen, and one for each limit that a key may have. */
  readonly #refusals = new Map<string, { readonly atMs: number; leftOut: number }>();

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  turnEnded({ requestId }: TurnFacts, { outcome, error }: TurnEnd): void {
    if (error !== undefined) this.#fail({ request: requestId }, error, "a request failed");
    // The next process logs the end of one that was left, and the end of one that was lost is a fault.
    else if (outcome === "completed" || outcome === "cancelled")
      this.#logger.debug({ request: requestId }, "a request ended");
  }

  laneFailed({ requestId }: TurnFacts, { personaId, error }: LaneFailure): void {
    this.#fail({ request: requestId, lane: personaId }, error, "a persona of a request failed");
  }

  /** Callers choose the model, so its name is a field, where a logger escapes it. */
  breakerChanged({ providerName, requestModel, state, code, durationMs }: BreakerChange): void {
    const fields = { api: providerName, model: requestModel, code, durationMs };
    if (state === "open") this.#logger.warn(fields, `api "${providerName}" keeps failing and is left alone`);
    else if (state === "closed") this.#logger.info(fields, `api "${providerName}" answers again`);
    else this.#logger.debug(fields, `api "${providerName}" asked for a pause`);
  }

  /** Logs one line for each kind of refusal in 10 s, with the number left out. */
  refused(refusal: RefusalFacts): void {
    // A client's wrong frames concern only itself.
    if (refusal.at === "frame") return;
    const { status, message } = refusal;
    const last = this.#refusals.get(message);
    if (last !== undefined && this.#clock.now() - last.atMs < quietMs) {
      last.leftOut += 1;
      return;
    }
    this.#refusals.set(message, { atMs: this.#clock.now(), leftOut: 0 });
    const { address, host, origin } = refusal.client();
    this.#logger.info(
      { status, address, host, origin, leftOut: last?.leftOut ?? 0 },
      `a request was refused: ${message}`,
    );
  }

  recovered(turns: RecoveredTurns): void {
    this.#logger.warn(turns, "requests of a process that is gone were recovered");
  }

  /** Logs once that the storage fails, and once that it works again, not with every request in between. */
  storageChanged(change: StorageChange): void {
    switch (change.state) {
      case "failing": {
        const { error } = change;
        this.#logger.error({ err: error }, `new requests are refused: the storage fails (${error.message})`);
        return;
      }
      case "working":
        this.#logger.info({}, "the storage works again");
        return;
      case "damaged":
        this.#logger.error({}, `started without a damaged part of the database: ${change.part}`);
    }
  }

  messengerChanged(change: MessengerChange): void {
    if (change.state === "working") this.#logger.info({}, "Redis works again");
    else {
      const line = `Redis cannot be used, so servers tell each other through PostgreSQL (${change.error.message})`;
      this.#logger.warn({}, line);
    }
  }

  warned({ message, cause }: Warning): void {
    const reason = describeCause(cause);
    this.#logger.warn({}, reason === undefined ? message : `${message} (${reason})`);
    if (reason !== undefined) this.#logger.debug({ err: cause }, "the cause of the warning");
  }

  faulted({ where, error, requestId }: Fault): void {
    const logger = this.#logger;
    // Failing storage is reported once.
    const isQuiet = where === "connection" || (where === "storage" && isStorageUnavailable(error));
    const report = isQuiet ? logger.debug : logger.error;
    const request = requestId === undefined ? {} : { request: requestId };
    report.call(logger, { ...request, err: error }, faultLines[where]);
  }

  #fail(fields: object, error: TroupeError, message: string): void {
    const logger = this.#logger;
    const { code, cause } = error;
    const reason = describeCause(cause);
    const line = `${message}: ${error.publicMessage}${reason === undefined ? "" : ` (${reason})`}`;
    if (code === "internal_error") {
      logger.error({ ...fields, code, err: cause }, line);
      return;
    }
    // Failing storage is reported once, not with every request that it ends.
    const quiet = isStorageUnavailable(error) ? logger.debug : undefined;
    // A call refused by a budget is no fault.
    const tell = quiet ?? (isUnpaid(error) ? logger.info : logger.warn);
    tell.call(logger, { ...fields, code }, line);
    if (reason !== undefined) logger.debug({ ...fields, code, err: cause }, "the cause of the failure");
  }
}
