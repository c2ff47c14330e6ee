import type { ServerProcessOptions } from "../../crash/server-process.ts";

/** Where a peer's server finds what it needs. */
export interface Surroundings {
  readonly upstreamUrl: string;
  readonly redisUrl: string;
  /** Where it may keep files. */
  readonly folder: string;
}

/** A client that asked, and comes back as the peer's documentation says. */
export interface Asking {
  /** How the client was told that the answer is over; never settles where it is not told. */
  readonly end: Promise<string>;
  close(): void;
}

/** A way to bring a streamed answer to a client. */
export interface Peer {
  /** With its version. */
  readonly name: string;
  server(surroundings: Surroundings): ServerProcessOptions;
  /** Asks for the answer `id`; `onText` is given what is shown. The port is the same for all its connections. */
  ask(port: number, id: string, onText: (text: string) => void): Asking;
  /** Whether it keeps its state in Redis. */
  readonly usesRedis: boolean;
  /** Makes a store of its own answer nobody for a time. */
  blink?(ms: number, surroundings: Surroundings): Promise<void>;
}

/** How long every client waits before it comes back. */
export const comeBackMs = 300;
