import type { ServerProcessOptions } from "../../crash/server-process.ts";

/** The folder and the addresses that a peer's server needs. */
export interface Surroundings {
  readonly upstreamUrl: string;
  readonly redisUrl: string;
  /** A folder for its files. */
  readonly folder: string;
  /** A PostgreSQL for all nodes of a peer that uses one. */
  readonly databaseUrl?: string;
}

/** A client that asked, and reconnects as the peer's documentation says. */
export interface Asking {
  /** Settles with the way in which the client was told that the answer is over; never settles if it is not told. */
  readonly end: Promise<string>;
  close(): void;
}

/** A way to bring a streamed answer to a client. */
export interface Peer {
  /** The name and version. */
  readonly name: string;
  server(surroundings: Surroundings): ServerProcessOptions;
  /** Asks for the answer `id`; `onText` gets each text shown. All its connections use the same port. */
  ask(port: number, id: string, onText: (text: string) => void): Asking;
  /** Whether it keeps its state in Redis. */
  readonly usesRedis: boolean;
  /** Makes the peer's own store answer no call for a time. */
  blink?(ms: number, surroundings: Surroundings): Promise<void>;
}

/** How long every client waits before it reconnects. */
export const comeBackMs = 300;
