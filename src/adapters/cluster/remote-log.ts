import type { KeptTurn, LogBatch, LogReader } from "../../ports/turn-log.ts";
import { parseEvents } from "../sqlite/event-codec.ts";
import type { FoundTurn, LogHub } from "./log-hub.ts";

interface RemoteReaderOptions {
  readonly hub: LogHub;
  readonly found: FoundTurn;
  /** The reader's number between the processes. */
  readonly following: number;
  readonly after: number;
  readonly wake: () => void;
  /** Says something to the other process that nobody waits for. */
  readonly say: (said: Promise<void>) => void;
}

/** Asks for a batch when one is wanted and the one before it was taken, so that nothing piles up on the way. */
class RemoteReader implements LogReader {
  readonly #options: RemoteReaderOptions;
  #life: "new" | "beginning" | "resting" | "asking" | "over" | "failed" | "closed" = "new";
  #came: LogBatch | undefined;
  #fault: unknown;

  constructor(options: RemoteReaderOptions) {
    this.#options = options;
  }

  get isOver(): boolean {
    return this.#life === "over";
  }

  take(): LogBatch | undefined {
    const batch = this.#came;
    this.#came = undefined;
    if (batch !== undefined) return batch;
    if (this.#life === "failed") throw this.#fault;
    if (this.#life === "new") this.#begin();
    else if (this.#life === "resting") this.#ask();
    return undefined;
  }

  close(): void {
    // One that is not known there yet is given up as soon as it is.
    if (this.#life === "resting" || this.#life === "asking" || this.#life === "failed") this.#giveUp();
    this.#life = "closed";
  }

  #begin(): void {
    const { hub, found, following, after } = this.#options;
    this.#life = "beginning";
    hub.follow(following, found.record.owner, found.record.id, after).then(
      () => (this.#life === "closed" ? this.#giveUp() : this.#ask()),
      (fault: unknown) => this.#fail(fault),
    );
  }

  #ask(): void {
    const { hub, following, wake } = this.#options;
    this.#life = "asking";
    hub
      .next(following)
      .then((batch) => {
        if (this.#life === "closed") return;
        this.#life = batch === undefined ? "over" : "resting";
        if (batch !== undefined) this.#came = parseEvents<LogBatch>(batch);
        wake();
      })
      .catch((fault: unknown) => this.#fail(fault));
  }

  #fail(fault: unknown): void {
    if (this.#life === "closed") return;
    this.#life = "failed";
    this.#fault = fault;
    this.#options.wake();
  }

  /** Ends a `next` that waits as well. */
  #giveUp(): void {
    const { hub, following, say } = this.#options;
    say(hub.unfollow(following));
  }
}

/**
 * Makes the logs of turns that run in another process, or have ended. What they know of themselves is as old as the answer they are
 * made of.
 */
export function createRemoteLogs(
  hub: LogHub,
  say: (said: Promise<void>) => void,
): (found: FoundTurn) => KeptTurn {
  let lastFollowing = 0;

  return (found) => ({
    record: found.record,
    log: {
      headSeq: found.headSeq,
      ended: found.ended,
      isFull: false,
      append: () => Promise.reject(new Error("A turn is written to only where it runs.")),
      open(after, wake) {
        lastFollowing += 1;
        return new RemoteReader({ hub, found, following: lastFollowing, after, wake, say });
      },
      leave: () => undefined,
    },
  });
}
