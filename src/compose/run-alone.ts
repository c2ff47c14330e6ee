import { mayStartLater } from "../adapters/postgres/database-faults.ts";
import { systemClock as clock } from "../adapters/system/system.ts";
import { createTroupe, type Troupe, type TroupeOptions } from "./create-troupe.ts";
import { describeCause } from "./describe-cause.ts";
import { type Listening, listen, stopServing } from "./listen.ts";
import type { Logger } from "./log-observer.ts";
import type { Observing } from "./open-observing.ts";
import type { Settings } from "./settings.ts";
import type { Stoppable } from "./stop-on-signals.ts";

interface AloneOptions
  extends Pick<TroupeOptions, "pageToken" | "onAnswering" | "configuration" | "observer"> {
  readonly logger: Logger;
  readonly observing: Observing;
  /** Called when the server listens for the first time. */
  readonly announce: (troupe: Troupe, port: number) => Promise<void>;
  /** Takes the server to stop, each time there is another one. */
  readonly whenAsked: (stoppable: Stoppable) => void;
}

interface Serving {
  readonly troupe: Troupe;
  readonly listening: Listening;
}

/** A node that was taken over again within this time waits longer before it starts. */
const settledMs = 600_000;
const firstPauseMs = 1_000;
const maxPauseMs = 300_000;
/** From a start that failed to the next try. */
const retryMs = 2_000;

/**
 * Serves as the only server process of this machine, perhaps as one of several nodes. If other nodes take it over, it starts again as a new
 * node on the same port: a supervisor would do the same, only slower, and not everyone has one. It tries until the database can be used.
 * Settles once it listens for the first time; `lost` rejects if it can never start again.
 */
export async function runAlone(
  settings: Settings,
  { announce, whenAsked, observing, ...options }: AloneOptions,
): Promise<{ readonly lost: Promise<void> }> {
  let current: Troupe | undefined;
  let metrics: Listening | undefined;

  async function serve(port: number): Promise<Serving> {
    const troupe = await createTroupe({ ...settings, ...options });
    if (current === undefined) observing.metrics?.watch(() => (current ?? troupe).stats());
    current = troupe;
    try {
      metrics ??= await observing.metrics?.serve();
      const listening = await listen(troupe, { ...settings, port });
      whenAsked({
        async stop() {
          await stopServing(troupe, listening, settings.lameDuckMs);
          // Until here the last requests can be watched.
          await metrics?.stop(Promise.resolve());
          await observing.close();
        },
        running: () => troupe.stats().turns,
        ...{ drainMs: settings.drainMs, lameDuckMs: settings.lameDuckMs },
      });
      return { troupe, listening };
    } catch (error) {
      await troupe.close({ drainMs: 0 });
      throw error;
    }
  }

  /** Starts again after a pause, as often as it takes. Settles with nothing once it was asked to stop instead. */
  async function serveLater(port: number, pauseMs: number): Promise<Serving | undefined> {
    const asked = new AbortController();
    whenAsked({ stop: async () => asked.abort(), running: () => 0, drainMs: 0 });
    let told = "";
    for (let waitMs = pauseMs; ; waitMs = retryMs) {
      await clock.sleep(waitMs, asked.signal);
      if (asked.signal.aborted) {
        await metrics?.stop(Promise.resolve());
        await observing.close();
        return undefined;
      }
      try {
        return await serve(port);
      } catch (error) {
        if (!mayStartLater(error)) throw error;
        const cause = describeCause(error) ?? "";
        if (cause !== told) options.logger.error({ cause }, "this node cannot start again yet");
        told = cause;
      }
    }
  }

  async function serveAgain(first: Serving): Promise<void> {
    let pauseMs = firstPauseMs;
    for (let { troupe, listening } = first; ; ) {
      const startedAtMs = clock.now();
      await troupe.lost;
      pauseMs = clock.now() - startedAtMs < settledMs ? Math.min(2 * pauseMs, maxPauseMs) : firstPauseMs;
      options.logger.error(
        { pauseMs },
        "other nodes have taken over this one; it starts again as a new node",
      );
      await listening.stop(troupe.close({ drainMs: 0 }));
      const next = await serveLater(listening.port, pauseMs);
      if (next === undefined) return;
      ({ troupe, listening } = next);
    }
  }

  const first = await serve(settings.port);
  try {
    await announce(first.troupe, first.listening.port);
  } catch (error) {
    await first.troupe.close({ drainMs: 0 });
    throw error;
  }
  return { lost: serveAgain(first) };
}
