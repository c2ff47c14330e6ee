import type { TroupeError } from "../protocol/errors.ts";
import type { TurnsOptions } from "../server/turns.ts";
import { describeCause } from "./describe-cause.ts";
import type { Logger } from "./logger.ts";

/**
 * Logs how requests ended and which of their lanes failed, one line each: the sentence that the client reads, then the message of the
 * provider or the system. Stacks are logged at `debug`, and for faults of the server itself.
 */
export function reportEnds(logger: Logger): Pick<TurnsOptions, "onEnd" | "onLaneFailure" | "onFault"> {
  function report(fields: object, error: TroupeError, message: string): void {
    const { code, cause } = error;
    const reason = describeCause(cause);
    const line = `${message}: ${error.publicMessage}${reason === undefined ? "" : ` (${reason})`}`;
    if (code === "internal_error") {
      logger.error({ ...fields, code, err: cause }, line);
      return;
    }
    // Failing storage is reported once, not with every request that it ends.
    const quiet = code === "storage_unavailable" ? logger.debug : undefined;
    // A call refused by a budget is no fault.
    const isUnpaid = code === "budget_exhausted" || code === "larger_than_day_budget";
    const tell = quiet ?? (isUnpaid ? logger.info : logger.warn);
    tell.call(logger, { ...fields, code }, line);
    if (reason !== undefined) logger.debug({ ...fields, code, err: cause }, "the cause of the failure");
  }

  return {
    onEnd(record, terminal) {
      if (terminal.type === "answer") logger.debug({ request: record.id }, "a request ended");
      else report({ request: record.id }, terminal.error, "a request failed");
    },
    onLaneFailure: (record, lane, error) =>
      report({ request: record.id, lane }, error, "a persona of a request failed"),
    onFault: (record, fault) => logger.error({ request: record.id, err: fault }, "a request's log failed"),
  };
}
