import { isStorageUnavailable } from "../adapters/sqlite/storage-faults.ts";
import type { Logger } from "./logger.ts";
import type { StoreListeners } from "./open-stores.ts";

/** Logs once that the storage fails, and once that it works again, not with every request in between. */
export function reportStorage(logger: Logger): Omit<StoreListeners, "clock"> {
  return {
    onStorage(fault) {
      if (fault === undefined) logger.info({}, "the storage works again");
      else logger.error({ err: fault }, `new requests are refused: the storage fails (${fault.message})`);
    },
    onWarning: (warning) => logger.warn({}, warning),
    onDamage(damage) {
      logger.error({}, `started without a damaged part of the database: ${damage}`);
    },
    onFault(fault) {
      const report = isStorageUnavailable(fault) ? logger.debug : logger.error;
      report.call(logger, { err: fault }, "something could not be stored");
    },
  };
}
