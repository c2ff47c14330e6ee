import type { KeptTurn } from "./turn-log.ts";
import type { TurnRequest } from "./turn-request.ts";

/** A turn while it runs, as those who follow its conversation see it. */
export interface LiveTurn extends KeptTurn {
  readonly request: TurnRequest;
}

/** What a server lets its peers do and tell. */
export interface PeerAudience {
  /**
   * Stops a turn or one of its lanes; `false` where it does not run here. Throws `persona_not_found`, and `request_ended` for a
   * lane that has ended.
   */
  cancel(owner: string, id: string, lane: string | undefined): boolean;
  /** Counts a follower elsewhere in; the returned function counts it out. */
  watch(owner: string, id: string): () => void;
  /** Stops every turn of a conversation that runs here or is about to; settles when they have ended. */
  endIn(owner: string, conversationId: string): Promise<void>;
  /** A turn has begun elsewhere, in a conversation that was subscribed to. */
  began(turn: LiveTurn): void;
  /** A peer is gone and others must end its turns: they are among the `unfinished` of the logs. */
  left(): void;
}

/**
 * The other servers that share this one's stores: what happens to a turn from a connection that is not where it runs.
 *
 * Contract:
 * - `announce` tells of a turn that runs here, once its log is there; those who subscribed elsewhere hear of it after that;
 * - `subscribe` and then `runningIn` miss no turn of the conversation; they may tell of one twice;
 * - `cancel` answers `false` for a turn that does not run elsewhere, which it may have done until now;
 * - `watch` counts a follower of a turn that runs elsewhere, and nothing where it does not;
 * - `endIn` settles when no turn of the conversation runs elsewhere any more, but for those of a peer that is gone, which are among
 *   the `unfinished`. It does not keep others from beginning: the conversation must be gone before.
 */
export interface Peers {
  /** From now on peers are heard; called once. */
  join(audience: PeerAudience): void;
  announce(turn: LiveTurn): void;
  /** The turns that run elsewhere in a conversation, oldest first. */
  runningIn(owner: string, conversationId: string): Promise<readonly LiveTurn[]>;
  /** `began` tells of this conversation's turns; the returned function ends the subscription. */
  subscribe(owner: string, conversationId: string): () => void;
  /** Throws as `PeerAudience.cancel`. */
  cancel(owner: string, id: string, lane: string | undefined): Promise<boolean>;
  /** The returned function counts the follower out. */
  watch(owner: string, id: string): () => void;
  /** Stops every turn of a conversation that runs elsewhere. */
  endIn(owner: string, conversationId: string): Promise<void>;
}

const nothing = () => undefined;

/** A server that is alone. */
export const noPeers: Peers = {
  join: nothing,
  announce: nothing,
  runningIn: async () => [],
  subscribe: () => nothing,
  cancel: async () => false,
  watch: () => nothing,
  endIn: async () => undefined,
};
