import { z } from "zod";
import { type FoundTurn, foundTurn } from "./log-hub.ts";
import { type Methods, nothing } from "./remote-port.ts";

/** A running turn of a conversation, with its request as JSON. */
export interface AnnouncedTurn {
  readonly found: FoundTurn;
  readonly request: string;
}

/** The methods that the process with all turns offers to one that runs some of them. */
export interface PeerHub {
  /** Reports a turn that runs and can be stopped. Its request, as JSON, is for the followers of its conversation. */
  announce(owner: string, id: string, request: string | undefined): Promise<void>;
  /** The conversation's turns that run in other processes, oldest first. */
  runningIn(owner: string, conversationId: string): Promise<readonly AnnouncedTurn[]>;
  /** From now on `WorkerPort.began` is called for turns of this conversation that start in other processes. */
  subscribe(owner: string, conversationId: string): Promise<void>;
  unsubscribe(owner: string, conversationId: string): Promise<void>;
  /** Cancels a turn; returns `false` if it runs in no other process. Throws `persona_not_found`, `request_ended`. */
  cancel(owner: string, id: string, personaId: string | undefined): Promise<boolean>;
  watch(owner: string, id: string): Promise<void>;
  unwatch(owner: string, id: string): Promise<void>;
  /** Ends the conversation's turns in all other processes; settles when they have ended or their process is gone. */
  endIn(owner: string, conversationId: string): Promise<void>;
}

/** The methods that a worker, which runs turns, offers to the process with all turns. */
export interface WorkerPort {
  /** Stops a turn that runs here; returns `false` if it has ended. Throws like `PeerHub.cancel`. */
  cancel(owner: string, id: string, personaId: string | undefined): Promise<boolean>;
  /** Stops the turns of a conversation that run here; settles when they have ended. */
  endIn(owner: string, conversationId: string): Promise<void>;
  /** Tells whether a client of another process follows a turn that runs here. */
  watched(owner: string, id: string, isWatched: boolean): Promise<void>;
  began(turn: AnnouncedTurn): Promise<void>;
  /** There are turns that no process runs: ask for them (`LogHub.unfinished`). */
  left(): Promise<void>;
}

const text = z.string();
const announced = z.object({ found: foundTurn, request: text });
const two = z.tuple([text, text]);
const three = z.tuple([text, text, text.or(z.undefined())]);

export const peerHubMethods: Methods<PeerHub> = {
  announce: [three, nothing],
  runningIn: [two, z.array(announced)],
  subscribe: [two, nothing],
  unsubscribe: [two, nothing],
  cancel: [three, z.boolean()],
  watch: [two, nothing],
  unwatch: [two, nothing],
  endIn: [two, nothing],
};

export const workerMethods: Methods<WorkerPort> = {
  cancel: [three, z.boolean()],
  endIn: [two, nothing],
  watched: [z.tuple([text, text, z.boolean()]), nothing],
  began: [z.tuple([announced]), nothing],
  left: [z.tuple([]), nothing],
};
