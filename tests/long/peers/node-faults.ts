import { setTimeout as sleep } from "node:timers/promises";
import type { ServerProcess } from "../../crash/server-process.ts";
import type { Relay } from "./relay.ts";
import type { Shown } from "./script.ts";

/** The parts of several nodes that a fault can act on. The client asks at the first node. */
export interface NodeStage {
  readonly nodes: readonly [ServerProcess, ...ServerProcess[]];
  readonly relay: Relay;
  readonly shown: Shown;
  /** From now on, the client's connections go to this node. */
  aimAt(node: number): void;
  /** Kills the store of all nodes (PostgreSQL or Redis) as a crash would, and starts it again. */
  crashStore(): Promise<void>;
}

export interface NodeFault {
  readonly name: string;
  /** Whether the fault kills the node that reads the upstream, with all data that it has not sent yet. */
  readonly kills?: true;
  strike(stage: NodeStage): Promise<void>;
}

/** Half of the answer was shown. */
const middle = 50;
/** Longer than the other half of the answer takes. */
const awayMs = 3_000;

export const nodeFaults: readonly NodeFault[] = [
  {
    name: "the client is cut off, and comes back at another node",
    async strike({ shown, relay, aimAt }) {
      await shown.reached(middle);
      aimAt(1);
      relay.cut();
    },
  },
  {
    name: "and again with the first chunk, back at the first node",
    async strike({ shown, relay, aimAt }) {
      await shown.reached(middle);
      const { last } = shown;
      aimAt(1);
      relay.cut();
      await shown.reached(last + 1);
      aimAt(0);
      relay.cut();
    },
  },
  {
    name: "the client is away until the answer is over, and comes back at another node",
    async strike({ shown, relay, aimAt }) {
      await shown.reached(middle);
      relay.block();
      await sleep(awayMs);
      aimAt(1);
      relay.unblock();
    },
  },
  {
    name: "the client comes back at another node, and the store is killed and started again",
    async strike({ shown, relay, aimAt, crashStore }) {
      await shown.reached(middle);
      aimAt(1);
      relay.cut();
      await crashStore();
    },
  },
  {
    name: "the node is killed, and the client goes to another one",
    kills: true,
    async strike({ shown, nodes, aimAt }) {
      await shown.reached(middle);
      aimAt(1);
      await nodes[0].kill();
    },
  },
  {
    name: "all nodes are stopped in order and started again, one after the other",
    async strike({ shown, nodes, aimAt }) {
      await shown.reached(middle);
      for (const [place, node] of nodes.entries()) {
        aimAt((place + 1) % nodes.length);
        await node.stop();
        node.start();
        await node.listening();
      }
    },
  },
];
