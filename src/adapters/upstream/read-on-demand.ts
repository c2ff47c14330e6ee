import type { Readable } from "node:stream";
import type { ChunkSkimmer } from "./fast/fast-reads.ts";
import type { HeldSocket } from "./fast/held-socket.ts";

/** If the connection cannot be held, no more than this is gathered ahead. */
const maxAheadBytes = 65_536;

/** `soon`: the caller has asked, and gets the bytes that have come by the end of this turn of the loop. */
type Demand = "none" | "asked" | "soon";

/** Gets the result of each `ask`: exactly one of these calls. */
export interface BytesSink {
  onBytes(bytes: Uint8Array): void;
  onEnd(): void;
  onError(error: unknown): void;
}

/** Reads one answer, a piece per request. */
export interface BytesReader {
  /** Asks for all bytes that have come, or else for the next ones. Call it again only after the sink was called. */
  ask(): void;
  /** Stops reading and discards later bytes. */
  leave(): void;
}

interface ReadOnDemandOptions {
  readonly stream: Readable;
  readonly sink: BytesSink;
  /** The skimmer of the connection, if the stream is that connection's unchanged body. Default: the connection cannot be held. */
  readonly skimmer?: ChunkSkimmer | undefined;
}

/**
 * Reads a stream one piece per request: all bytes that have come by then. Without a request, the connection is not read, and the system
 * gathers the incoming bytes. So the cost depends on the number of requests and not on the sender's packets. Node's own `pause` reads one
 * more packet each time, and so twice as often.
 */
export class OnDemandReader implements BytesReader {
  readonly #stream: Readable;
  readonly #sink: BytesSink;
  readonly #skimmer: ChunkSkimmer | undefined;
  readonly #connection: HeldSocket | undefined;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #demand: Demand = "none";
  /** The bytes that wait with the system are being taken. */
  #isTaking = false;
  #outcome: { readonly error?: unknown } | undefined;

  constructor({ stream, sink, skimmer }: ReadOnDemandOptions) {
    this.#stream = stream;
    this.#sink = sink;
    this.#skimmer = skimmer;
    this.#connection = skimmer?.held;
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

  ask(): void {
    this.#demand = "asked";
    if (this.#pieces.length > 0 || this.#outcome !== undefined) {
      this.#give();
      return;
    }
    if (this.#takeWaiting()) return;
    this.#connection?.letGo();
    this.#stream.resume();
  }

  leave(): void {
    this.#demand = "none";
    this.#conclude({});
    this.#pieces = [];
    this.#stream.resume();
  }

  /** Delivers bytes that already wait with the system. Returns whether that satisfied the request. */
  #takeWaiting(): boolean {
    // A sink that asks again inside this call waits for Node: otherwise an endless sender would block the thread.
    if (this.#isTaking || this.#skimmer === undefined || this.#skimmer.state === "stopped") return false;
    const bytes = this.#connection?.takeWaiting();
    if (bytes === undefined) return false;
    this.#isTaking = true;
    this.#skimmer.receive(bytes);
    this.#isTaking = false;
    return this.#demand === "none";
  }

  #take(piece: Buffer): void {
    if (this.#outcome !== undefined) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#demand === "none" && this.#bytes > maxAheadBytes) this.#stream.pause();
    this.#connection?.hold();
    // All bytes of one read are delivered together.
    if (this.#skimmer?.state !== "reading") this.#give();
  }

  /** Delivers after everything available has been read: a sender's packets are TLS records, and each arrives by itself. */
  readonly #giveSoon = (): void => {
    if (this.#demand !== "asked") return;
    this.#demand = "soon";
    setImmediate(this.#giveRead);
  };

  readonly #giveRead = (): void => {
    if (this.#demand === "soon") this.#demand = "asked";
    this.#give();
  };

  #give(): void {
    if (this.#demand === "none") return;
    const [first] = this.#pieces;
    if (first !== undefined) {
      const bytes = this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces, this.#bytes);
      this.#pieces.length = 0;
      this.#bytes = 0;
      this.#demand = "none";
      this.#sink.onBytes(bytes);
    } else if (this.#outcome !== undefined) {
      this.#demand = "none";
      if ("error" in this.#outcome) this.#sink.onError(this.#outcome.error);
      else this.#sink.onEnd();
    }
  }

  #conclude(how: { readonly error?: unknown }): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = how;
    // Lets go, because the connection may serve another call.
    this.#connection?.letGo();
    this.#give();
  }
}
