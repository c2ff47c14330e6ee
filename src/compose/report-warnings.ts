import { describeCause } from "./describe-cause.ts";
import type { Logger } from "./logger.ts";

/** Logs a fault that does not affect clients, in one line; its whole cause at `debug`. */
export function reportWarnings(logger: Logger): (warning: string, cause?: unknown) => void {
  return (warning, cause) => {
    const reason = describeCause(cause);
    logger.warn({}, reason === undefined ? warning : `${warning} (${reason})`);
    if (reason !== undefined) logger.debug({ err: cause }, "the cause of the warning");
  };
}
