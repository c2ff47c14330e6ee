import { describeCause } from "./describe-cause.ts";
import type { Logger } from "./logger.ts";

/** Tells the log of something that is wrong and changes nothing for a client, in one line; what caused it in full at `debug`. */
export function reportWarnings(logger: Logger): (warning: string, cause?: unknown) => void {
  return (warning, cause) => {
    const reason = describeCause(cause);
    logger.warn({}, reason === undefined ? warning : `${warning} (${reason})`);
    if (reason !== undefined) logger.debug({ err: cause }, "what was behind the warning");
  };
}
