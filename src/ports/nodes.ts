/** A server, as the servers that share its stores see it. */
export interface NodeState {
  /** A number that no other start of a server ever had; 0 for a server that shares its stores with no other. */
  readonly incarnation: number;
  readonly name: string;
  /** It is the server that answers. */
  readonly isSelf: boolean;
  /** `draining`: it stops, and takes nothing new. */
  readonly state: "serving" | "draining";
  /** Requests that run there. */
  readonly turns: number;
  /** How long the server that answers has known its newest heartbeat, milliseconds. No clocks of two machines are compared. */
  readonly heartbeatAgeMs: number;
  /** Whether the server hears Redis, as the server that answers knows; absent if that one uses none. */
  readonly hearsRedis?: boolean;
}

/**
 * The servers that share this server's stores, and this one.
 *
 * Contract:
 * - `list` has this server too, and servers that are dead only until they are taken over. The lowest incarnation comes first, and there are
 *   at most 1,000. Rejects with `storage_unavailable` if the stores cannot be read;
 * - after `drain`, other servers see this one as `draining` within a heartbeat;
 * - `hasOthers` tells whether another server lives that does not drain, as of the last heartbeat;
 * - `refresh` sends a heartbeat now and settles when it is answered or has failed. It never rejects.
 */
export interface Nodes {
  list(): Promise<readonly NodeState[]>;
  drain(): void;
  readonly hasOthers: boolean;
  refresh(): Promise<void>;
}

/** The list of a server that shares its stores with no other. `turns` tells how many requests run there. */
export function loneNode(name: string, turns: () => number): Nodes {
  let state: NodeState["state"] = "serving";
  return {
    hasOthers: false,
    refresh: async () => undefined,
    drain() {
      state = "draining";
    },
    list: async () => [{ incarnation: 0, name, isSelf: true, state, turns: turns(), heartbeatAgeMs: 0 }],
  };
}
