import type { Observer } from "../ports/observer.ts";
import { SocketEndedError } from "../ports/socket.ts";
import type { KeptTurn, LogBatch, LogReader } from "../ports/turn-log.ts";
import { TroupeError } from "../protocol/errors.ts";

/** The receiver of followed turns' batches. */
export interface Recipient {
  /**
   * Delivers a batch. `onTaken` is called once, after `deliver` has returned: when the client's connection has taken the batch, or with
   * the reason why it never will.
   */
  deliver(requestId: string, batch: LogBatch, onTaken: (fault?: unknown) => void): void;
}

interface FollowersOptions {
  /** `watch` counts a follower in; the returned function counts it out. */
  readonly turns: { watch(turn: KeptTurn): () => void };
  /** Is told of a follower that failed while its connection was open. */
  readonly observer: Observer;
}

/** Reads one turn's log for one connection: the next batch once the last one was taken, with no promise per batch. */
class Follower {
  readonly turn: KeptTurn;
  readonly #recipient: Recipient;
  readonly #onEnd: (fault?: unknown) => void;
  #reader: LogReader | undefined;
  #life: "coming" | "waiting" | "delivering" | "telling" | "stopping" | "ended" = "coming";

  /** `onEnd` is called once, with the fault if there was one, unless the follower had been stopped before. */
  constructor(turn: KeptTurn, recipient: Recipient, onEnd: (fault?: unknown) => void) {
    this.turn = turn;
    this.#recipient = recipient;
    this.#onEnd = onEnd;
  }

  get isStopping(): boolean {
    return this.#life === "stopping";
  }

  begin(after: number): void {
    if (this.#life === "stopping") {
      this.#end();
      return;
    }
    this.#reader = this.turn.log.open(after, this.#goOn);
    this.#goOn();
  }

  /** Delivers the current batch and then ends. */
  stop(): void {
    if (this.#life === "waiting") this.#end();
    else if (this.#life !== "ended" && this.#life !== "telling") this.#life = "stopping";
  }

  /** Tells the client that it gets no more: without a word it would wait for ever. A `resume` begins again after its last message. */
  fail(fault: unknown): void {
    if (this.#life === "stopping") this.#end();
    else if (this.#life === "telling" || fault instanceof SocketEndedError) this.#end(fault);
    else {
      this.#life = "telling";
      const told: LogBatch = { type: "unkept", error: TroupeError.from(fault) };
      this.#recipient.deliver(this.turn.record.id, told, () => this.#end(fault));
    }
  }

  readonly #goOn = (): void => {
    try {
      const batch = this.#reader?.take();
      if (batch !== undefined) {
        this.#life = "delivering";
        this.#recipient.deliver(this.turn.record.id, batch, this.#onTaken);
      } else if (this.#reader?.isOver === true) this.#end();
      else this.#life = "waiting";
    } catch (fault) {
      this.fail(fault);
    }
  };

  readonly #onTaken = (fault?: unknown): void => {
    if (fault !== undefined) this.fail(fault);
    else if (this.#life === "stopping") this.#end();
    else this.#goOn();
  };

  #end(fault?: unknown): void {
    this.#life = "ended";
    this.#reader?.close();
    this.#onEnd(fault);
  }
}

/** A follower with a promise of its end. */
interface Following {
  readonly follower: Follower;
  readonly finished: Promise<void>;
}

/** The turns that one connection follows: at most one follower a turn. Following a turn again moves its follower. */
export class Followers {
  readonly #recipient: Recipient;
  readonly #options: FollowersOptions;
  #life: "open" | "leaving" | "closed" = "open";
  #followings: Map<string, Following> | undefined;

  constructor(recipient: Recipient, options: FollowersOptions) {
    this.#recipient = recipient;
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#life === "closed";
  }

  /** Whether a turn is followed and not about to be stopped. */
  has(requestId: string): boolean {
    return this.#followings?.get(requestId)?.follower.isStopping === false;
  }

  /** Returns a function that ends the current following of a turn. A later one of the same turn goes on. */
  stopper(requestId: string): () => void {
    const follower = this.#followings?.get(requestId)?.follower;
    return () => follower?.stop();
  }

  /**
   * Follows a turn from a position, after `before` has settled. The result settles when the follower has ended: the turn's last event was
   * delivered, another follower took its place, or the connection is gone.
   */
  follow(turn: KeptTurn, after: number, before?: () => Promise<void>): Promise<void> {
    const { turns, observer } = this.#options;
    const { id } = turn.record;
    this.#followings ??= new Map();
    const followings = this.#followings;
    const previous = followings.get(id);
    const finished = Promise.withResolvers<void>();
    const unwatch = turns.watch(turn);
    const follower = new Follower(turn, this.#recipient, (fault) => {
      // A closed connection ends its followers without a fault; the turn and its log are not affected.
      if (fault !== undefined) observer.faulted?.({ where: "connection", error: fault });
      unwatch();
      if (followings.get(id)?.follower === follower) followings.delete(id);
      finished.resolve();
    });
    followings.set(id, { follower, finished: finished.promise });
    if (this.isClosed || (this.#life === "leaving" && !turn.log.ended)) follower.stop();
    if (previous === undefined && before === undefined) follower.begin(after);
    else void begin(follower, after, { previous, before });
    return finished.promise;
  }

  /** Whether every followed turn can be followed at another server that shares the logs. */
  get canMove(): boolean {
    return [...(this.#followings?.values() ?? [])].every(
      ({ follower }) => follower.turn.record.transient !== true,
    );
  }

  /** Settles when every followed turn was delivered to its end. */
  async settle(): Promise<void> {
    while (this.#followings !== undefined && this.#followings.size > 0) await this.#allFinished();
  }

  /** From now on delivers only turns that have ended: the others continue elsewhere. */
  leave(): void {
    if (!this.isClosed) this.#life = "leaving";
    for (const { follower } of this.#followings?.values() ?? [])
      if (!follower.turn.log.ended) follower.stop();
  }

  async close(): Promise<void> {
    this.#life = "closed";
    for (const { follower } of this.#followings?.values() ?? []) follower.stop();
    await this.#allFinished();
  }

  async #allFinished(): Promise<void> {
    await Promise.all([...(this.#followings?.values() ?? [])].map(({ finished }) => finished));
  }
}

async function begin(
  follower: Follower,
  after: number,
  { previous, before }: { previous: Following | undefined; before: (() => Promise<void>) | undefined },
): Promise<void> {
  try {
    previous?.follower.stop();
    await previous?.finished;
    await before?.();
    follower.begin(after);
  } catch (fault) {
    follower.fail(fault);
  }
}

/**
 * Throws `seq_out_of_range` for `field` if a turn has no event of this number. Another process may show an event before this one, which
 * runs the turn, hears that the event is committed. So a log that seems to be behind is asked once more, after a commit of its own.
 */
export async function checkPosition({ log }: KeptTurn, seq: number, field: string): Promise<void> {
  if (seq > log.headSeq && !log.ended && log.confirm !== undefined) {
    await log.confirm().catch((cause: unknown) => {
      throw new TroupeError("storage_unavailable", { cause });
    });
  }
  if (seq > log.headSeq) throw new TroupeError("seq_out_of_range", { field });
}
