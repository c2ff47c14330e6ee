import type { TurnsOptions } from "../server/turns.ts";
import type { Logger } from "./logger.ts";

/** Tells the log how requests ended, each by one line. */
export function reportEnds(logger: Logger): Pick<TurnsOptions, "onEnd" | "onFault"> {
  return {
    onEnd(record, terminal) {
      if (terminal.type === "answer") return logger.debug({ request: record.id }, "a request ended");
      const { code, cause } = terminal.error;
      // That the storage fails is told once, not with every request that it ends.
      const quiet = code === "storage_unavailable" ? logger.debug : undefined;
      // A budget that does its work is no fault.
      const usual = quiet ?? (code === "budget_exhausted" ? logger.info : logger.warn);
      const report = code === "internal_error" ? logger.error : usual;
      report.call(logger, { request: record.id, code, err: cause }, "a request failed");
    },
    onFault: (record, fault) => logger.error({ request: record.id, err: fault }, "a request's log failed"),
  };
}
