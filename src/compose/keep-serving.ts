import type { Clock } from "../ports/clock.ts";
import type { Troupe } from "./create-troupe.ts";
import { describeCause } from "./describe-cause.ts";
import type { Listening } from "./listen.ts";
import type { Logger } from "./log-observer.ts";

/** A server at its port. */
export interface Serving {
  readonly troupe: Troupe;
  readonly listening: Listening;
}

interface KeepServing {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Starts the server at the port of the one before. */
  readonly serve: (port: number) => Promise<Serving>;
  /** Called when there is no server until the next one is started. `stop` ends the wait. */
  readonly onAway: (stop: () => void) => void;
}

/** A node that was taken over again within this time waits longer before it starts. */
const settledMs = 600_000;
const firstPauseMs = 1_000;
const maxPauseMs = 300_000;
/** From a start that failed to the next try. */
const retryMs = 2_000;

/**
 * If other nodes take a server over, starts it again as a new node on the same port. A supervisor would do the same, only slower, and not
 * everyone has one. It tries until the database can be used. Settles if it was stopped while there was no server; rejects if it can never
 * start again.
 */
export async function keepServing(
  first: Serving,
  { clock, logger, serve, onAway }: KeepServing,
): Promise<void> {
  let pauseMs = firstPauseMs;

  /** Starts again after a pause, as often as it takes. Settles with nothing once `stopped` aborts. */
  async function serveLater(port: number, stopped: AbortSignal): Promise<Serving | undefined> {
    let told = "";
    for (let waitMs = pauseMs; ; waitMs = retryMs) {
      await clock.sleep(waitMs, stopped);
      if (stopped.aborted) return undefined;
      try {
        return await serve(port);
      } catch (error) {
        // Only a node is taken over, so a server without PostgreSQL never loads its driver.
        const { mayStartLater } = await import("../adapters/postgres/database-faults.ts");
        if (!mayStartLater(error)) throw error;
        const cause = describeCause(error) ?? "";
        if (cause !== told) logger.error({ cause }, "this node cannot start again yet");
        told = cause;
      }
    }
  }

  for (let { troupe, listening } = first; ; ) {
    const startedAtMs = clock.now();
    await troupe.lost;
    pauseMs = clock.now() - startedAtMs < settledMs ? Math.min(2 * pauseMs, maxPauseMs) : firstPauseMs;
    logger.error({ pauseMs }, "other nodes have taken over this one; it starts again as a new node");
    await listening.stop(troupe.close({ drainMs: 0 }));
    const stopped = new AbortController();
    onAway(() => stopped.abort());
    const next = await serveLater(listening.port, stopped.signal);
    if (next === undefined) return;
    ({ troupe, listening } = next);
  }
}

/** Listens, or closes the server again. */
export async function serveAt(troupe: Troupe, open: () => Promise<Listening>): Promise<Serving> {
  try {
    return { troupe, listening: await open() };
  } catch (error) {
    await troupe.close({ drainMs: 0 });
    throw error;
  }
}
