import assert from "node:assert/strict";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { createTroupe, type Troupe, type TroupeOptions } from "../../src/compose/create-troupe.ts";
import { listen } from "../../src/compose/listen.ts";
import { hasFastReads } from "./fast-reads.ts";
import { connect, type WireClient } from "./wire-client.ts";

/** A whole server on a free port. Every client made through it is closed with it. */
export interface RunningTroupe extends AsyncDisposable {
  readonly troupe: Troupe;
  readonly url: string;
  readonly httpUrl: string;
  connect(options?: Parameters<typeof connect>[1]): Promise<WireClient>;
  /** Cuts the connections of all clients. */
  cut(): void;
}

/**
 * Starts a server in one line. Without options it answers with the demonstration, keeps everything in memory and looks
 * for no local models.
 */
export async function startTroupe(options: TroupeOptions = {}): Promise<RunningTroupe> {
  return serveTroupe(
    await createTroupe({ localProviders: [], store: "memory", fastReads: hasFastReads, ...options }),
  );
}

/** Makes a server listen on a free port. */
export async function serveTroupe(troupe: Troupe): Promise<RunningTroupe> {
  const listening = await listen(troupe, { host: "127.0.0.1", port: 0 });
  const clients = new Set<WireClient>();
  const url = `ws://127.0.0.1:${listening.port}/ws`;
  const cut = () => {
    for (const client of clients) client.terminate();
  };
  return {
    troupe,
    url,
    httpUrl: `http://127.0.0.1:${listening.port}`,
    async connect(clientOptions) {
      const client = await connect(url, clientOptions);
      clients.add(client);
      return client;
    },
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await listening.stop(troupe.close({ drainMs: 0 }));
      await assertBalanced(troupe);
    },
  };
}

/** Turns of the event loop that a server gets to release everything it holds. */
const turnsToSettle = 100;

/** Checks that a closed server counts nothing as held, even if it refused, cut off or ended requests before. */
async function assertBalanced(troupe: Troupe): Promise<void> {
  const held = () => {
    const { logs, logBytes, ...counts } = troupe.stats();
    return Object.entries(counts).filter(([, count]) => count !== 0);
  };
  for (let turn = 0; turn < turnsToSettle && held().length > 0; turn += 1) await nextLoopTurn();
  assert.deepEqual(held(), [], "a closed server still holds something");
}
