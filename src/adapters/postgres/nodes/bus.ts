import type { Clock } from "../../../ports/clock.ts";
import type { NodeMessage } from "./messages.ts";

/** The options of every bus. */
export interface BusOptions {
  readonly clock: Clock;
  readonly incarnation: number;
  /** Called with each message of another node, probes included. Must not throw. */
  readonly onMessage: (message: NodeMessage, from: number) => void;
  /** Makes the next probe. Default: one that tells nothing. */
  readonly probe?: () => NodeMessage;
}

/**
 * Messages to all other nodes.
 *
 * Contract:
 * - messages are hints. Each may be lost, and rows or later messages have the same effect, only later;
 * - the messages of one node arrive in their order;
 * - `send` returns at once and never throws. Messages that wait have a bound, and further ones are lost;
 * - a server that is away, silent or restarted needs no call: the bus connects again by itself;
 * - payloads that are too large or no message of a node are ignored.
 */
export interface Bus extends AsyncDisposable {
  /** `to`: the only node that needs it. Others may be sent it all the same. */
  send(message: NodeMessage, to?: number): void;
  /** Whether a message of this node to itself arrived within the last 3 s. */
  readonly isHeard: boolean;
}

/** From one probe to the next, and without an own probe for this long, a connection is renewed, milliseconds. */
export const probeMs = 1_000;
export const silentMs = 3_000;
