import { TroupeError } from "../../../protocol/errors.ts";
import type { BytesReader, BytesSink } from "../../upstream/read-on-demand.ts";
import { ClosedSocketError, type FrameSink, type ModelSocket } from "./model-socket.ts";

/** If the connection cannot be held, no more than this is read ahead. */
const maxAheadBytes = 65_536;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const begin = Buffer.from("data: ");
const between = Buffer.from("\n\ndata: ");
const end = Buffer.from("\n\n");
/** The code by which the other side says that a frame of ours was too large. */
const messageTooBig = 1009;

type Demand = "none" | "asked" | "soon";

interface FrameReaderOptions {
  readonly socket: ModelSocket;
  readonly sink: BytesSink;
  /** Whether a frame belongs to an earlier call of the same socket. */
  readonly isStray: (data: Buffer) => boolean;
  /** The other side closed the socket before the first frame. */
  readonly onUnanswered: () => void;
}

/**
 * Reads the frames of one call as the event stream that the same answer would be over HTTP: a frame has the JSON of one `data:` line. So
 * one reader and one scan of deltas serve both. Without a request the socket is not read, and the system gathers its frames.
 */
export class FrameReader implements BytesReader, FrameSink {
  readonly #socket: ModelSocket;
  readonly #sink: BytesSink;
  readonly #isStray: (data: Buffer) => boolean;
  readonly #onUnanswered: () => void;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #demand: Demand = "none";
  #state: "silent" | "open" | "over" = "silent";
  #fault: unknown;

  constructor({ socket, sink, isStray, onUnanswered }: FrameReaderOptions) {
    this.#socket = socket;
    this.#sink = sink;
    this.#isStray = isStray;
    this.#onUnanswered = onUnanswered;
    socket.listen(this);
  }

  /** Everything that came was taken, so the socket is in order. */
  get isDrained(): boolean {
    return this.#pieces.length === 0;
  }

  ask(): void {
    this.#demand = "asked";
    if (this.#pieces.length > 0 || this.#state === "over") this.#give();
    else this.#socket.letGo();
  }

  leave(): void {
    this.#demand = "none";
    this.#state = "over";
  }

  onFrame(data: Buffer): void {
    if (this.#state === "over") return;
    if (this.#isStray(data)) {
      this.#conclude(strayFrame());
      this.#socket.terminate();
      return;
    }
    this.#state = "open";
    const line = data.includes(lineFeed) || data.includes(carriageReturn) ? inLines(data) : data;
    this.#pieces.push(this.#pieces.length === 0 ? begin : between, line);
    this.#bytes += line.length;
    if (this.#demand === "none" && this.#bytes > maxAheadBytes) this.#socket.hold();
    this.#giveSoon();
  }

  onClosed(error: Error): void {
    const isSilent = this.#state === "silent";
    if (isSilent) this.#onUnanswered();
    this.#conclude(isSilent ? unanswered(error) : error);
  }

  #conclude(fault: unknown): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#fault = fault;
    this.#giveSoon();
  }

  /** All frames that one turn of the loop reads are given together. */
  #giveSoon(): void {
    if (this.#demand !== "asked") return;
    this.#demand = "soon";
    setImmediate(this.#give);
  }

  readonly #give = (): void => {
    if (this.#demand === "none") return;
    this.#demand = "none";
    if (this.#pieces.length > 0) {
      this.#pieces.push(end);
      const bytes = Buffer.concat(this.#pieces);
      this.#pieces = [];
      this.#bytes = 0;
      this.#socket.hold();
      this.#sink.onBytes(bytes);
    } else {
      this.#sink.onError(this.#fault);
    }
  };
}

/** JSON over several lines, as an event stream has it. */
function inLines(data: Buffer): Buffer {
  return Buffer.from(data.toString().replaceAll(/\r\n?|\n/g, "\ndata: "));
}

/** The error of a call whose socket was closed before its first frame: it may be made again, like an HTTP call without an answer. */
function unanswered(error: Error): unknown {
  if (!(error instanceof ClosedSocketError)) return error;
  if (error.closeCode === messageTooBig)
    return new TroupeError("context_length_exceeded", { cause: error, isUnread: true });
  return new TroupeError("upstream_disconnected", { cause: error, safeToRepeat: true });
}

function strayFrame(): TroupeError {
  const cause = new Error("A frame of an earlier call came over the socket.");
  return new TroupeError("upstream_disconnected", { cause, safeToRepeat: true });
}
