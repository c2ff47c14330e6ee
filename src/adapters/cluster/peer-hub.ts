import { z } from "zod";
import { type FoundTurn, turnRecord } from "./log-hub.ts";
import type { Methods } from "./remote-port.ts";

/** A turn of a conversation while it runs, with its request as JSON. */
export interface AnnouncedTurn {
  readonly found: FoundTurn;
  readonly request: string;
}

/** What the process that knows all turns does for one that runs some of them. */
export interface PeerHub {
  /** A turn runs and can be stopped. Its request, as JSON, is for those who follow its conversation. */
  announce(owner: string, id: string, request: string | undefined): Promise<void>;
  /** Those that run in other processes, oldest first. */
  runningIn(owner: string, conversationId: string): Promise<readonly AnnouncedTurn[]>;
  /** From now on `WorkerPort.began` tells of turns of this conversation that begin in other processes. */
  subscribe(owner: string, conversationId: string): Promise<void>;
  unsubscribe(owner: string, conversationId: string): Promise<void>;
  /** `false` where the turn runs in no other process. Throws `persona_not_found`, `request_ended`. */
  cancel(owner: string, id: string, lane: string | undefined): Promise<boolean>;
  watch(owner: string, id: string): Promise<void>;
  unwatch(owner: string, id: string): Promise<void>;
  /** Settles when every other process has ended its turns of the conversation, or is gone. */
  endIn(owner: string, conversationId: string): Promise<void>;
}

/** What a process that runs turns does for the one that knows them all. */
export interface WorkerPort {
  /** Stops a turn that runs here; `false` where it has ended. Throws as `PeerHub.cancel`. */
  cancel(owner: string, id: string, lane: string | undefined): Promise<boolean>;
  /** Stops the turns of a conversation that run here; settles when they have ended. */
  endIn(owner: string, conversationId: string): Promise<void>;
  /** Whether anybody in another process follows a turn that runs here. */
  watched(owner: string, id: string, isWatched: boolean): Promise<void>;
  began(turn: AnnouncedTurn): Promise<void>;
  /** There are turns that nobody runs any more: ask for them (`LogHub.unfinished`). */
  left(): Promise<void>;
}

const text = z.string();
const two = z.tuple([text, text]);
const three = z.tuple([text, text, text.or(z.undefined())]);

export const peerHubMethods: Methods<PeerHub> = {
  announce: three,
  runningIn: two,
  subscribe: two,
  unsubscribe: two,
  cancel: three,
  watch: two,
  unwatch: two,
  endIn: two,
};

const found = z.object({ record: turnRecord, identity: z.int(), headSeq: z.int(), ended: z.boolean() });

export const workerMethods: Methods<WorkerPort> = {
  cancel: three,
  endIn: two,
  watched: z.tuple([text, text, z.boolean()]),
  began: z.tuple([z.object({ found, request: text })]),
  left: z.tuple([]),
};
