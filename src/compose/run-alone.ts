import { systemClock as clock } from "../adapters/system/system.ts";
import { createTroupe, type Troupe, type TroupeOptions } from "./create-troupe.ts";
import { keepServing, type Serving, serveAt } from "./keep-serving.ts";
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

/**
 * Serves as the only server process of this machine, perhaps as one of several nodes. If other nodes take it over, it starts again. Settles
 * once it listens for the first time; `lost` rejects if it can never start again.
 */
export async function runAlone(
  settings: Settings,
  { announce, whenAsked, observing, ...options }: AloneOptions,
): Promise<{ readonly lost: Promise<void> }> {
  let current: Troupe | undefined;
  let metrics: Listening | undefined;

  async function closeObserving(): Promise<void> {
    await metrics?.stop(Promise.resolve());
    await observing.close();
  }

  async function serve(port: number): Promise<Serving> {
    const troupe = await createTroupe({ ...settings, ...options });
    if (current === undefined) observing.metrics?.watch(() => (current ?? troupe).stats());
    current = troupe;
    const serving = await serveAt(troupe, async () => {
      metrics ??= await observing.metrics?.serve();
      return listen(troupe, { ...settings, port });
    });
    whenAsked({
      async stop() {
        await stopServing(troupe, serving.listening, settings.lameDuckMs);
        // Until here the last requests can be watched.
        await closeObserving();
      },
      running: () => troupe.stats().turns,
      ...{ drainMs: settings.drainMs, lameDuckMs: settings.lameDuckMs },
    });
    return serving;
  }

  const first = await serve(settings.port);
  try {
    await announce(first.troupe, first.listening.port);
  } catch (error) {
    await first.troupe.close({ drainMs: 0 });
    throw error;
  }
  const { logger } = options;
  const onAway = (stop: () => void) => whenAsked({ stop: async () => stop(), running: () => 0, drainMs: 0 });
  return { lost: keepServing(first, { clock, logger, serve, onAway }).then(closeObserving) };
}
