import { openParts, readBasis } from "../../src/compose/open-parts.ts";
import { openStores } from "../../src/compose/open-stores.ts";
import { openTurns } from "../../src/compose/open-turns.ts";
import type { Stores } from "../../src/compose/stores.ts";
import type { TroupeOptions } from "../../src/compose/troupe.ts";
import { HeldBytes } from "../../src/ports/fair-shares.ts";
import type { TurnRequest } from "../../src/ports/turn-request.ts";
import type { Ask, StartedTurn } from "../../src/server/start-turn.ts";
import type { Turns } from "../../src/server/turns.ts";

/** A server without doors: requests that no door can make yet. */
export interface OpenedServer extends AsyncDisposable {
  readonly turns: Turns;
  readonly stores: Stores;
  /** Asks as the owner `owner`. After a crash, the answer starts again. */
  ask(id: string, request: TurnRequest, changes?: Partial<Ask>): Promise<StartedTurn>;
}

/** Opens a server as `createTroupe` does, and continues the turns that an earlier one left. */
export async function openServer(options: TroupeOptions): Promise<OpenedServer> {
  await using begun = new AsyncDisposableStack();
  const basis = readBasis({ localProviders: [], ...options }, false);
  const parts = await openParts(basis, options, openStores, begun);
  begun.move();
  const { turns, recover } = openTurns(parts);
  await recover();
  const caller = { owner: "owner", keyId: "key", limits: {} };
  const connection = new HeldBytes({
    ...{ maxBytes: Number.MAX_SAFE_INTEGER, code: "too_many_requests", whose: "A test" },
  });
  return {
    turns,
    stores: parts.stores,
    ask: (id, request, changes = {}) =>
      turns.start({
        ...{ caller, request, content: request, id, isNamed: true, conversation: undefined },
        hold: () => turns.hold(caller, request, connection),
        whenUnwatched: "finish",
        whenInterrupted: "restart",
        ...changes,
      }),
    async [Symbol.asyncDispose]() {
      await turns.close(0);
      await parts.close();
    },
  };
}
