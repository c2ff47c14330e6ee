import type { KeptTurn } from "./turn-log.ts";
import type { TurnRequest } from "./turn-request.ts";

/** A running turn, as followers of its conversation see it. */
export interface LiveTurn extends KeptTurn {
  readonly request: TurnRequest;
}

/** The calls that a server accepts from its peers. */
export interface PeerAudience {
  /**
   * Stops a turn or the lanes of one persona; `false` if it does not run here. Throws `persona_not_found`, and `request_ended` if those
   * lanes have ended.
   */
  cancel(owner: string, id: string, personaId: string | undefined): boolean;
  /** Counts in a follower at a peer; the returned function counts it out. */
  watch(owner: string, id: string): () => void;
  /** Stops every turn of a conversation that runs here or is about to; settles when they have ended. */
  endIn(owner: string, conversationId: string): Promise<void>;
  /** A turn has started at a peer, in a subscribed conversation. */
  began(turn: LiveTurn): void;
  /** A peer is gone, and others must end its turns: they are in the logs' `unfinished`. */
  left(): void;
}

/**
 * The other servers that share this server's stores. They reach a turn from connections to a server that does not run it.
 *
 * Contract:
 * - `announce` tells peers of a turn that runs here, once its log exists. Subscribers hear of it only after that;
 * - `subscribe` followed by `runningIn` misses no turn of the conversation, but may report one twice;
 * - `cancel` answers `false` for a turn that does not run at a peer, even if it ran there a moment ago;
 * - `watch` counts a follower of a turn that runs at a peer, and otherwise does nothing;
 * - `endIn` settles when no peer runs a turn of the conversation any more. The turns of a peer that is gone are excepted: they are in the
 *   logs' `unfinished`. It does not prevent new turns, so delete the conversation first.
 */
export interface Peers {
  /** Starts listening to peers; called once. */
  join(audience: PeerAudience): void;
  announce(turn: LiveTurn): void;
  /** The conversation's turns that run at peers, oldest first. */
  runningIn(owner: string, conversationId: string): Promise<readonly LiveTurn[]>;
  /** Makes `began` report this conversation's turns; the returned function ends the subscription. */
  subscribe(owner: string, conversationId: string): () => void;
  /** Throws the same as `PeerAudience.cancel`. */
  cancel(owner: string, id: string, personaId: string | undefined): Promise<boolean>;
  /** The returned function counts the follower out. */
  watch(owner: string, id: string): () => void;
  /** Stops every turn of a conversation that runs at a peer. */
  endIn(owner: string, conversationId: string): Promise<void>;
}

const nothing = () => undefined;

/** The peers of a server that runs alone: none. */
export const noPeers: Peers = {
  join: nothing,
  announce: nothing,
  runningIn: async () => [],
  subscribe: () => nothing,
  cancel: async () => false,
  watch: () => nothing,
  endIn: async () => undefined,
};
