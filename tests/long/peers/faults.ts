import { setTimeout as sleep } from "node:timers/promises";
import type { ServerProcess } from "../../crash/server-process.ts";
import type { RedisProcess } from "./redis-process.ts";
import type { Relay } from "./relay.ts";
import type { Shown } from "./script.ts";

/** The parts that a fault can act on. */
export interface FaultStage {
  readonly relay: Relay;
  readonly server: ServerProcess;
  readonly shown: Shown;
  readonly redis: RedisProcess;
  /** Makes the peer's store answer no call for `ms`. */
  blink(ms: number): Promise<void>;
}

export interface Fault {
  readonly name: string;
  /** Whether the fault kills the server, together with all data that it has not sent yet. */
  readonly kills?: true;
  /** The store or Redis, if the fault needs it. Not every peer has one. */
  readonly needs?: "store" | "redis";
  strike(stage: FaultStage): Promise<void>;
}

/** Half of the answer was shown. */
const middle = 50;
const blinkMs = 500;
/** Longer than the other half of the answer takes. */
const awayMs = 3_000;
const stallMs = 1_500;

export const faults: readonly Fault[] = [
  { name: "none", strike: async () => undefined },
  {
    name: "the client is cut off once",
    async strike({ relay, shown }) {
      await shown.reached(middle);
      relay.cut();
    },
  },
  {
    name: "and again with the first chunk after it came back",
    async strike({ relay, shown }) {
      await shown.reached(middle);
      const { last } = shown;
      relay.cut();
      await shown.reached(last + 1);
      relay.cut();
    },
  },
  {
    name: "the client is cut off, and the store hangs for half a second",
    needs: "store",
    async strike({ relay, shown, blink }) {
      await shown.reached(middle);
      relay.cut();
      await blink(blinkMs);
    },
  },
  {
    name: "the client is cut off, and Redis is killed and started again",
    needs: "redis",
    async strike({ relay, shown, redis }) {
      await shown.reached(middle);
      relay.cut();
      await redis.crash();
    },
  },
  {
    name: "the client is away until the answer is over",
    async strike({ relay, shown }) {
      await shown.reached(middle);
      relay.block();
      await sleep(awayMs);
      relay.unblock();
    },
  },
  {
    name: "the client does not read for 1.5 s",
    async strike({ relay, shown }) {
      await shown.reached(middle);
      relay.stall();
      await sleep(stallMs);
      relay.flow();
    },
  },
  {
    name: "the server is killed and started again",
    kills: true,
    async strike({ server, shown }) {
      await shown.reached(middle);
      await server.kill();
      server.start();
      await server.listening();
    },
  },
];
