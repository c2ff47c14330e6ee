import { decodeBatch } from "../../../ports/stored-turn.ts";
import type { KeptTurn, LogBatch, LogReader } from "../../../ports/turn-log.ts";
import type { FoundTurn, LogHub } from "../rpc/log-hub.ts";

/** The outcome of one request for a batch; `given up` if the reader that asked was closed. */
type Asked = Promise<{ readonly batch: LogBatch | undefined } | "given up">;

/** Batches that readers of this process ask for or still hold, by turn and by the position before the batch. */
class SharedBatches {
  readonly #asked = new Map<string, Asked>();
  readonly #held = new Map<string, WeakRef<LogBatch>>();
  readonly #registry = new FinalizationRegistry<string>((key) => {
    if (this.#held.get(key)?.deref() === undefined) this.#held.delete(key);
  });

  /** The batch at a place, fetched with `ask` unless another reader has it or waits for it. */
  get(key: string, ask: () => Asked): Asked {
    const held = this.#held.get(key)?.deref();
    if (held !== undefined) return Promise.resolve({ batch: held });
    const asked = this.#asked.get(key) ?? this.#ask(key, ask);
    this.#asked.set(key, asked);
    return asked;
  }

  async #ask(key: string, ask: () => Asked): Asked {
    try {
      const answer = await ask();
      // `unkept` is true only until the end is kept.
      if (answer !== "given up" && answer.batch !== undefined && answer.batch.type !== "unkept") {
        this.#held.set(key, new WeakRef(answer.batch));
        this.#registry.register(answer.batch, key);
      }
      return answer;
    } finally {
      this.#asked.delete(key);
    }
  }
}

interface RemoteReaderOptions {
  readonly hub: LogHub;
  readonly found: FoundTurn;
  readonly shared: SharedBatches;
  /** Returns a new number that names a reader between the processes. */
  readonly newFollowing: () => number;
  readonly after: number;
  readonly wake: () => void;
  /** Reports the failure of a message that no caller waits for. */
  readonly say: (said: Promise<void>) => void;
}

/**
 * Reads a log in another process. It asks for a batch when one is wanted and the one before it was taken, so that nothing piles up on the
 * way. Readers at the same place of a turn share a batch, for which one of them asks.
 */
class RemoteReader implements LogReader {
  readonly #options: RemoteReaderOptions;
  #life: "resting" | "asking" | "over" | "failed" | "closed" = "resting";
  #position: number;
  /** This reader's number in the other process, and its position there. */
  #following: { readonly number: number; at: number } | undefined;
  #came: LogBatch | undefined;
  #fault: unknown;

  constructor(options: RemoteReaderOptions) {
    this.#options = options;
    this.#position = options.after;
  }

  get isOver(): boolean {
    return this.#life === "over";
  }

  take(): LogBatch | undefined {
    const batch = this.#came;
    this.#came = undefined;
    if (batch !== undefined) return batch;
    if (this.#life === "failed") throw this.#fault;
    if (this.#life === "resting") this.#ask();
    return undefined;
  }

  close(): void {
    this.#unfollow();
    this.#life = "closed";
  }

  #ask(): void {
    const { found, shared, wake } = this.#options;
    this.#life = "asking";
    const key = `${found.identity} ${this.#position}`;
    shared
      .get(key, () => this.#askHub())
      .then((answer) => {
        if (this.#life === "closed") return;
        if (answer === "given up") return this.#ask();
        const { batch } = answer;
        this.#came = batch;
        this.#life = batch === undefined ? "over" : "resting";
        if (batch !== undefined) this.#position = endOf(batch, this.#position);
        wake();
      })
      .catch((fault: unknown) => {
        if (this.#life === "closed") return;
        this.#life = "failed";
        this.#fault = fault;
        wake();
      });
  }

  async #askHub(): Asked {
    const { hub, say } = this.#options;
    const following = await this.#follow();
    // The other process learned of the reader only after it was closed here, so it is ended there.
    if (this.#isClosed()) {
      say(hub.unfollow(following.number));
      return "given up";
    }
    const text = await hub.next(following.number);
    if (this.#isClosed()) return "given up";
    if (text === undefined) {
      this.#following = undefined;
      return { batch: undefined };
    }
    const batch = decodeBatch(text);
    following.at = endOf(batch, following.at);
    return { batch };
  }

  /** Moves the reader in the other process to its position here: it has skipped batches that other readers asked for. */
  async #follow(): Promise<{ readonly number: number; at: number }> {
    const { hub, found, newFollowing } = this.#options;
    if (this.#following?.at === this.#position) return this.#following;
    this.#unfollow();
    const following = { number: newFollowing(), at: this.#position };
    await hub.follow(following.number, found.record.owner, found.record.id, this.#position);
    if (!this.#isClosed()) this.#following = following;
    return following;
  }

  #isClosed(): boolean {
    return this.#life === "closed";
  }

  /** Ends the reader in the other process, and a `next` that waits there. */
  #unfollow(): void {
    const { hub, say } = this.#options;
    if (this.#following !== undefined) say(hub.unfollow(this.#following.number));
    this.#following = undefined;
  }
}

function endOf(batch: LogBatch, before: number): number {
  if (batch.type === "unkept") return before;
  return batch.type === "trimmed" ? batch.throughSeq : (batch.events.at(-1)?.seq ?? 0);
}

/**
 * Makes the logs of turns that run in another process or have ended. Their `headSeq` and `ended` are as old as the answer they came with.
 */
export function createRemoteLogs(
  hub: LogHub,
  say: (said: Promise<void>) => void,
): (found: FoundTurn) => KeptTurn {
  const shared = new SharedBatches();
  let lastFollowing = 0;
  const newFollowing = () => {
    lastFollowing += 1;
    return lastFollowing;
  };

  return (found) => ({
    record: found.record,
    log: {
      headSeq: found.headSeq,
      ended: found.ended,
      isFull: false,
      unkept: undefined,
      append: () => Promise.reject(new Error("A turn is written to only where it runs.")),
      open: (after, wake) => new RemoteReader({ hub, found, shared, newFollowing, after, wake, say }),
      leave: () => undefined,
    },
  });
}
