import type { Readable } from "node:stream";
import type { ChunkSkimmer } from "./chunk-skimmer.ts";
import { HeldSocket } from "./held-socket.ts";

/** More than this is not gathered ahead where the connection cannot be held. */
const mostAheadBytes = 65_536;

/** Hears what came of having asked: one of these, once for each time. */
export interface BytesSink {
  onBytes(bytes: Uint8Array): void;
  onEnd(): void;
  onError(error: unknown): void;
}

export interface ReadOnDemandOptions {
  readonly stream: Readable;
  readonly sink: BytesSink;
  /** Of the connection that the stream comes from as it is. Default: it cannot be held. */
  readonly skimmer?: ChunkSkimmer | undefined;
}

/**
 * The bytes of a stream, one piece for each time that somebody asks: all that came by then. Nobody asking, nothing is read from the
 * connection: what comes waits with the system, which gathers it, so that a stream costs as much as it is asked and not as
 * its sender cut it into packets. Node's own `pause` reads one packet more each time, and so twice as often.
 */
export class OnDemandReader {
  readonly #stream: Readable;
  readonly #sink: BytesSink;
  readonly #skimmer: ChunkSkimmer | undefined;
  readonly #connection: HeldSocket | undefined;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #isAsked = false;
  #isTaking = false;
  #willGive = false;
  #outcome: { readonly error?: unknown } | undefined;

  constructor({ stream, sink, skimmer }: ReadOnDemandOptions) {
    this.#stream = stream;
    this.#sink = sink;
    this.#skimmer = skimmer;
    this.#connection = skimmer === undefined ? undefined : new HeldSocket(skimmer.socket);
    const take = (piece: Buffer) => this.#take(piece);
    stream.pause();
    stream.on("data", take);
    skimmer?.deliverTo(take, this.#connection?.isPlain === false ? this.#giveSoon : () => this.#give());
    stream.on("end", () => this.#conclude({}));
    stream.on("error", (error) => this.#conclude({ error }));
    stream.on("close", () => {
      const error = new Error("The connection broke.");
      this.#conclude({ error: Object.assign(error, { code: "ERR_STREAM_PREMATURE_CLOSE" }) });
    });
  }

  /** Asks for all that has come, or else for what comes next; not again before the sink has heard. */
  ask(): void {
    this.#isAsked = true;
    if (this.#pieces.length > 0 || this.#outcome !== undefined) {
      this.#give();
      return;
    }
    if (this.#takeWaiting()) return;
    this.#connection?.letGo();
    this.#stream.resume();
  }

  /** Who leaves reads nothing more; what still comes is thrown away. */
  leave(): void {
    this.#isAsked = false;
    this.#conclude({});
    this.#pieces = [];
    this.#stream.resume();
  }

  /** Gives what waits with the system already, if that is enough for who asks. */
  #takeWaiting(): boolean {
    // Who asks again for what says nothing waits as for everything else: a sender that never ends would keep the thread.
    if (this.#isTaking || this.#skimmer === undefined || this.#skimmer.isStopped) return false;
    const bytes = this.#connection?.takeWaiting();
    if (bytes === undefined) return false;
    this.#isTaking = true;
    this.#skimmer.receive(bytes);
    this.#isTaking = false;
    return !this.#isAsked;
  }

  #take(piece: Buffer): void {
    if (this.#outcome !== undefined) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (!this.#isAsked && this.#bytes > mostAheadBytes) this.#stream.pause();
    this.#connection?.hold();
    // What one read of the connection holds is given as one.
    if (this.#skimmer?.isReading !== true) this.#give();
  }

  /** When all that is there has been read: a sender's packets are records of TLS, and each comes by itself. */
  readonly #giveSoon = (): void => {
    if (this.#willGive || !this.#isAsked) return;
    this.#willGive = true;
    setImmediate(this.#giveRead);
  };

  readonly #giveRead = (): void => {
    this.#willGive = false;
    this.#give();
  };

  #give(): void {
    if (!this.#isAsked) return;
    const [first] = this.#pieces;
    if (first !== undefined) {
      const bytes = this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces, this.#bytes);
      this.#pieces.length = 0;
      this.#bytes = 0;
      this.#isAsked = false;
      this.#sink.onBytes(bytes);
    } else if (this.#outcome !== undefined) {
      this.#isAsked = false;
      if ("error" in this.#outcome) this.#sink.onError(this.#outcome.error);
      else this.#sink.onEnd();
    }
  }

  #conclude(how: { readonly error?: unknown }): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = how;
    // The connection may serve another call.
    this.#connection?.letGo();
    this.#give();
  }
}
