import type { Caller } from "../../../ports/caller.ts";
import type { SocketPlaces } from "../../../ports/socket-places.ts";

/** Serves the places to one process. When that process is `gone`, its places are given back. */
export function createPlaceHub(places: SocketPlaces, gone: AbortSignal): SocketPlaces {
  const taken = new Map<string, { readonly caller: Caller; count: number }>();

  function note(caller: Caller, change: 1 | -1): void {
    const name = JSON.stringify([caller.keyId, ...(caller.groups ?? []).map(({ id }) => id)]);
    const held = taken.get(name) ?? { caller, count: 0 };
    held.count += change;
    if (held.count === 0) taken.delete(name);
    else taken.set(name, held);
  }

  async function leave(caller: Caller): Promise<void> {
    // Its places were given back when it went.
    if (gone.aborted) return;
    note(caller, -1);
    await places.leave(caller);
  }

  gone.addEventListener(
    "abort",
    () => {
      for (const { caller, count } of taken.values())
        for (let left = count; left > 0; left -= 1) void places.leave(caller);
      taken.clear();
    },
    { once: true },
  );

  return {
    async take(caller) {
      const none = await places.take(caller);
      if (none !== undefined) return none;
      // The process went while it was given a place.
      if (gone.aborted) await places.leave(caller);
      else note(caller, 1);
      return undefined;
    },
    whyNone: places.whyNone,
    leave,
  };
}
