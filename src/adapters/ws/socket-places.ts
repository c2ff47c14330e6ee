import type { Caller } from "../../ports/caller.ts";
import { CallerCounts } from "../../ports/fair-shares.ts";
import type { NoPlace, SocketPlaces } from "../../ports/socket-places.ts";

interface SocketPlaceOptions {
  /** Max sockets of all callers together. */
  readonly maxInAll: number;
  /** Max sockets of one key without a limit of its own. */
  readonly maxPerKey: number;
}

/** Counts the places of sockets, for this process and for the processes that ask it. */
export function createSocketPlaces({ maxInAll, maxPerKey }: SocketPlaceOptions): SocketPlaces {
  const counts = new CallerCounts("connections", maxPerKey);

  function whyNone(caller: Caller): NoPlace | undefined {
    if (counts.inAll >= maxInAll) {
      const message = "The server has as many sockets open as TROUPE_MAX_CONNECTIONS allows.";
      return { isServerFull: true, message };
    }
    const full = counts.fullFor(caller);
    if (full === undefined) return undefined;
    const settings = full.isKey
      ? "TROUPE_MAX_CONNECTIONS_PER_KEY or the key's own limit says so"
      : "TROUPE_MAX_CONNECTIONS_PER_ADDRESS and TROUPE_MAX_ANONYMOUS_CONNECTIONS say so";
    return { isServerFull: false, message: `${full.name} may have ${full.max} sockets open; ${settings}.` };
  }

  return {
    async take(caller) {
      const none = whyNone(caller);
      if (none === undefined) counts.add(caller, 1);
      return none;
    },
    whyNone: async (caller) => whyNone(caller),
    async leave(caller) {
      counts.add(caller, -1);
    },
  };
}
