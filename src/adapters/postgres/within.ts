import type { Clock } from "../../ports/clock.ts";
import { storageUnavailable } from "../database/commits.ts";

/** Settles as the promise does, or rejects with `storage_unavailable` if that takes longer than `limitMs`. */
export async function within<T>(clock: Clock, limitMs: number, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.callAfter(limitMs, () =>
    late.reject(storageUnavailable(new Error("earlier writes wait for the database"))),
  );
  return Promise.race([promise, late.promise]).finally(cancel);
}
