import { setTimeout as sleep } from "node:timers/promises";
import { answerParent } from "../../tests/long/load/child-program.ts";
import { type LoadConnection, openConnection } from "./connection.ts";
import { createTally } from "./tally.ts";
import type { Target } from "./target.ts";
import { wires } from "./wires.ts";

/** Maximum number of handshakes at the same time. */
const maxHandshakes = 64;

/** Asks one target for streams and counts the tokens that arrive. One process reads thousands of connections. */
const tally = createTally();
const losses = new Map<string, number>();
let connections: LoadConnection[] = [];
let asked = 0;

const onLost = (reason: string) => void losses.set(reason, (losses.get(reason) ?? 0) + 1);

/** Asks on connections that have no stream yet, one at each of the given times. */
async function askAt(timesMs: readonly number[]): Promise<void> {
  const startMs = performance.now();
  for (const timeMs of timesMs) {
    const waitMs = startMs + timeMs - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    const connection = connections[asked];
    if (connection === undefined) throw new Error("Every connection has its stream already.");
    asked += 1;
    connection.ask();
  }
}

const answers = {
  /** Opens `count` more connections and settles when all of them are ready. */
  async connect(target: Target, count: number): Promise<void> {
    const wire = wires[target.wire];
    for (let left = count; left > 0; left -= maxHandshakes) {
      const opened = Array.from({ length: Math.min(left, maxHandshakes) }, () =>
        openConnection(target, { tally, wire, onLost }),
      );
      connections.push(...opened);
      await Promise.all(opened.map(({ ready }) => ready));
    }
  },
  /** Asks for `count` more streams, at random times within `overMs`, so that they do not march in step. */
  ask(count: number, overMs: number): Promise<void> {
    const timesMs = Array.from({ length: count }, () => Math.random() * overMs);
    return askAt(timesMs.sort((a, b) => a - b));
  },
  /** The counts since the last call, and the total of lost connections. */
  take: () => ({ ...tally.take(), losses: Object.fromEntries(losses), streams: asked }),
  closeAll(): void {
    for (const connection of connections) connection.close();
    connections = [];
    asked = 0;
    losses.clear();
  },
};
export type ClientAnswers = typeof answers;

answerParent(answers);
