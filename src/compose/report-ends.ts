import type { TroupeError } from "../protocol/errors.ts";
import type { TurnsOptions } from "../server/turns.ts";
import type { Logger } from "./logger.ts";

/** Tells the log how requests ended, and which of their lanes failed, each by one line. */
export function reportEnds(logger: Logger): Pick<TurnsOptions, "onEnd" | "onLaneFailure" | "onFault"> {
  function report(fields: object, { code, cause }: TroupeError, message: string): void {
    // That the storage fails is told once, not with every request that it ends.
    const quiet = code === "storage_unavailable" ? logger.debug : undefined;
    // A budget that does its work is no fault.
    const isUnpaid = code === "budget_exhausted" || code === "larger_than_day_budget";
    const usual = quiet ?? (isUnpaid ? logger.info : logger.warn);
    const tell = code === "internal_error" ? logger.error : usual;
    tell.call(logger, { ...fields, code, err: cause }, message);
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
