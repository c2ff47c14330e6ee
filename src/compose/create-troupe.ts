import { keyIdOfUser } from "../doors/identity/callers.ts";
import { loneNode, type Nodes } from "../ports/nodes.ts";
import { faultsOf } from "../ports/observer.ts";
import { type ConnectedDoors, closePatienceMs, connectDoors } from "./connect-doors.ts";
import { nodeNameOf } from "./node-name.ts";
import { openParts, type Parts, readBasis } from "./open-parts.ts";
import { warnOfPrices } from "./open-prices.ts";
import { openStores } from "./open-stores.ts";
import { type OpenedTurns, openTurns } from "./open-turns.ts";
import type { OpenStores } from "./stores.ts";
import type { Troupe, TroupeOptions } from "./troupe.ts";

export type { Troupe, TroupeOptions } from "./troupe.ts";

/**
 * Makes a server. It does not listen by itself: see `attach` and `listener`.
 * Settings left out have the defaults of the command line; the environment is not read.
 */
export function createTroupe(options: TroupeOptions = {}): Promise<Troupe> {
  return assembleTroupe(options, openStores);
}

/**
 * Makes a server on stores of any kind, which it closes with itself. With `isWorker`, another process chooses its providers in the same
 * way, and reports and warns about them instead.
 */
export async function assembleTroupe(
  options: TroupeOptions,
  open: OpenStores,
  { isWorker = false } = {},
): Promise<Troupe> {
  const basis = readBasis(options, isWorker);
  /** Disposed in reverse if the start fails. */
  await using begun = new AsyncDisposableStack();
  const parts = await openParts(basis, options, open, begun);
  const opened = openTurns(parts);
  const { turns } = opened;
  // If the start fails, requests recovered by then are left to the next start.
  begun.defer(() => turns.close(0));
  await opened.recover();
  const nodes = parts.stores.nodes ?? loneNode(nodeNameOf(parts.settings), () => turns.count);
  const doors = await connectDoors(parts, { turns, nodes }, begun);
  const { sockets } = doors;
  parts.stores.keys.onRevoked((keyId) => {
    sockets.closeAllOf(keyId);
    turns.cancelAllOf(keyId);
  });
  parts.stores.onCutOff?.((isOn) => sockets.pause(isOn));
  followProviders(parts, doors, options.onAnswering);
  const lost = leaveWhenLost(parts, opened, doors);
  begun.move();
  return troupeOf(parts, opened, { doors, nodes, lost });
}

/** The time that clients have to follow their requests again at another server, before a request counts as left by all. */
const absenceMs = 15_000;

/** Settles when other servers have taken the turns of this one, and it has closed its sockets. */
function leaveWhenLost({ stores }: Parts, { turns }: OpenedTurns, doors: ConnectedDoors): Promise<void> {
  return new Promise((resolve) => {
    function leave(): void {
      // Within the signal's event, so that no client is told how the turns end here.
      turns.abandon();
      doors.leave();
      doors.sockets.leave();
      void doors.sockets.close(Promise.resolve(), closePatienceMs).then(resolve);
    }
    if (stores.lost?.aborted === true) leave();
    else stores.lost?.addEventListener("abort", leave);
  });
}

/** Renders the page again when a local server is found after the start, and tells of it. */
function followProviders(
  { settings, providers, prices, observer, logger, isWorker }: Parts,
  { pages }: ConnectedDoors,
  onAnswering = (summary: string) => {
    if (!isWorker) logger.info({}, `from now on ${summary}`);
  },
): void {
  void providers.changed
    .then(() => pages.refresh())
    .then(() => {
      if (!isWorker) warnOfPrices(settings, prices, { models: providers, observer });
      onAnswering(providers.summary);
    })
    .catch(faultsOf(observer, "connection"));
}

/** The server, as an embedding program sees it. */
function troupeOf(
  parts: Parts,
  { turns, admission }: OpenedTurns,
  {
    doors,
    nodes,
    lost,
  }: { readonly doors: ConnectedDoors; readonly nodes: Nodes; readonly lost: Promise<void> },
): Troupe {
  const { settings, providers, stores, budgets } = parts;
  const { logs } = stores;
  const { sockets, pages, listener } = doors;
  const closing = new AbortController();
  let moved: Promise<void> | undefined;

  /** Closes the sockets whose clients can go on at other servers. */
  function moveClients(): Promise<void> {
    if (moved === undefined) {
      turns.retire(absenceMs);
      moved = sockets.move(closePatienceMs);
    }
    return moved;
  }

  return {
    attach: (server) => sockets.attach(server),
    listener,
    lost,
    get providerSummary() {
      return providers.summary;
    },
    get simulated() {
      return providers.simulated;
    },
    renderDiskPage: pages.renderForDisk,
    closeSockets: (owner) => sockets.closeAllOf(keyIdOfUser(owner), "logged_out"),
    stats: () => ({
      connections: sockets.count,
      turns: turns.count,
      places: admission.count,
      watchers: turns.watchers,
      subscriptions: turns.subscriptions,
      reservedTokens: budgets.reservedTokens ?? 0,
      logs: logs.count,
      logBytes: logs.bytes,
      requestBytes: turns.heldBytes,
    }),
    async leaveBalancer() {
      doors.leave();
      nodes.drain();
      await parts.clock.sleep(settings.lameDuckMs, closing.signal);
      // While the server listens, a balancer that asks leaves the open sockets alone.
      if (nodes.hasOthers) await moveClients();
    },
    async close({ drainMs = settings.drainMs, onDrained } = {}) {
      closing.abort();
      doors.leave();
      const { hasOthers } = nodes;
      if (hasOthers) await moveClients();
      const turnsEnded = turns.close(drainMs, hasOthers);
      await Promise.all([turnsEnded, sockets.close(turnsEnded, closePatienceMs)]);
      await onDrained?.();
      await parts.close();
    },
  };
}
