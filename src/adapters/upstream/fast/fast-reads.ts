import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { HeldSocket } from "./held-socket.ts";

/** The parts of a connection that Node does not document. */
interface Internals {
  readonly _handle?: { readonly [name: string]: unknown } | null;
}

/**
 * The switch of everything in this folder, which uses parts of Node that are not documented. It reads an answer faster, and never another
 * answer. It turns itself off at the first connection that lacks one of these parts.
 */
export class FastReads {
  #isOn: boolean;
  readonly #onMissing: (warning: string) => void;

  /** `onMissing` is called once, when a part of Node is missing. */
  constructor({
    isOn = true,
    onMissing = () => undefined,
  }: {
    isOn?: boolean;
    onMissing?: (warning: string) => void;
  } = {}) {
    this.#isOn = isOn;
    this.#onMissing = onMissing;
  }

  /** The fast way to read a connection to which a call was just given. `undefined` if it is to be read as Node reads it. */
  open(socket: Socket): ChunkSkimmer | undefined {
    return this.#isWhole(socket) ? new ChunkSkimmer(socket) : undefined;
  }

  /** The way to hold a connection that is no longer HTTP. `undefined` if it is to be paused as Node pauses it. */
  hold(socket: Socket): HeldSocket | undefined {
    return this.#isWhole(socket) ? new HeldSocket(socket) : undefined;
  }

  #isWhole(socket: Socket): boolean {
    if (!this.#isOn) return false;
    const missing = socket.destroyed ? undefined : missingPart(socket);
    if (missing === undefined) return true;
    this.#isOn = false;
    this.#onMissing(`this release of Node lacks ${missing}: answers of providers are read in the slower way`);
    return false;
  }
}

function missingPart(socket: Socket): string | undefined {
  const handle = (socket as Internals)._handle;
  if (typeof handle !== "object" || handle === null) return "the handle of a socket";
  for (const name of ["readStart", "readStop"])
    if (typeof handle[name] !== "function") return `${name} of a socket's handle`;
  return socket.listenerCount("data") > 0 ? undefined : "the listener of its HTTP parser";
}

/** Max hexadecimal digits of a chunk size that is skimmed; no server sends larger chunks. */
const maxSizeDigits = 7;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/** A position in an answer whose body is chunked (RFC 9112, section 7.1). `other` is left to Node: the end, an extension, a fault. */
type Place =
  | { readonly in: "head" }
  | { readonly in: "boundary" }
  | { readonly in: "size"; digits: number; size: number; sawReturn: boolean }
  | { readonly in: "data"; left: number }
  | { readonly in: "other" };

/** `reading`: the bytes of one read are being processed. `stopped`: the next bytes belong to another call. */
type State = "idle" | "reading" | "stopped";

const head: Place = { in: "head" };
const boundary: Place = { in: "boundary" };
const other: Place = { in: "other" };

/**
 * Takes whole chunks of a body past Node's parser, which makes several objects and calls for each chunk. A stream of tokens has a chunk
 * for every token. A skimmed chunk leaves the parser's state as it was. The parser gets everything else: the head, partial chunks, the
 * end and unusual bytes.
 */
export class ChunkSkimmer {
  /** Lets the system gather the bytes between two reads. */
  readonly held: HeldSocket;
  readonly #socket: Socket;
  #state: State = "idle";
  readonly #parse: ((bytes: Buffer) => void) | undefined;
  #message: IncomingMessage | undefined;
  #place: Place = head;
  #onPayload: ((payload: Buffer) => void) | undefined;
  #onRead: (() => void) | undefined;
  /** Start and end of the payload of the last found chunk. */
  #start = 0;
  #end = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.held = new HeldSocket(socket);
    [this.#parse] = socket.listeners("data") as ((bytes: Buffer) => void)[];
    if (this.#parse === undefined) return;
    socket.off("data", this.#parse);
    socket.on("data", this.receive);
  }

  get state(): State {
    return this.#state;
  }

  /** Takes the answer whose head was just read. */
  accept(answer: IncomingMessage): void {
    this.#message = answer;
    // Its first bytes were read before the skimmer saw any.
    if (this.#state !== "reading") this.#place = other;
  }

  /**
   * From now on, passes the payloads of whole chunks to `take`, in order with the data that the message emits. `onRead` is called after
   * each read has been processed.
   */
  deliverTo(take: (payload: Buffer) => void, onRead: () => void): void {
    this.#onPayload = take;
    this.#onRead = onRead;
  }

  /** Stops skimming, because the connection may serve another call. */
  stop(): void {
    this.#state = "stopped";
    this.#place = other;
    this.#socket.off("data", this.receive);
  }

  /** Takes the next bytes of the connection, read by Node or by a `HeldSocket`. */
  readonly receive = (bytes: Buffer): void => {
    const isFirst = this.#place.in === "head";
    if (this.#state === "idle") this.#state = "reading";
    if (isFirst || this.#place.in === "other") this.#handOn(bytes);
    else this.#skim(bytes);
    if (isFirst) this.#readHead(bytes);
    if (this.#state === "reading") this.#state = "idle";
    this.#onRead?.();
    if (this.#message?.complete === true) this.stop();
  };

  #handOn(bytes: Buffer): void {
    if (bytes.length > 0) this.#parse?.call(this.#socket, bytes);
  }

  /** Skimming starts only after the message has delivered all earlier data, or the order would change. */
  #maySkim(): boolean {
    return (
      this.#onPayload !== undefined &&
      this.#place.in === "boundary" &&
      this.#message?.readableFlowing === true &&
      this.#message.readableLength === 0
    );
  }

  #skim(bytes: Buffer): void {
    let at = 0;
    let from = 0;
    while (at < bytes.length) {
      if (this.#place.in === "boundary" && this.#findChunk(bytes, at)) {
        if (from < at) this.#handOn(bytes.subarray(from, at));
        from = at;
        if (this.#maySkim()) {
          at = this.#gather(bytes);
          from = at;
        } else {
          at = this.#end + 2;
        }
        continue;
      }
      at = this.#pass(bytes, at);
    }
    if (from < bytes.length) this.#handOn(bytes.subarray(from));
  }

  /** Delivers the found chunk's payload joined with those of the chunks directly after it. Returns the end of the last one. */
  #gather(bytes: Buffer): number {
    const start = this.#start;
    let end = this.#end;
    let at = end + 2;
    while (this.#findChunk(bytes, at)) {
      // Overwrites the chunk framing in between, which is not read again.
      bytes.copyWithin(end, this.#start, this.#end);
      end += this.#end - this.#start;
      at = this.#end + 2;
    }
    this.#onPayload?.(bytes.subarray(start, end));
    return at;
  }

  /** Follows the parser to the next boundary or to the end of the bytes. */
  #pass(bytes: Buffer, start: number): number {
    let at = start;
    if (this.#place.in === "boundary") this.#place = { in: "size", digits: 0, size: 0, sawReturn: false };
    if (this.#place.in === "size") {
      for (; at < bytes.length && this.#place.in === "size"; at += 1)
        this.#place = afterSizeByte(this.#place, bytes[at] ?? 0);
      return at;
    }
    if (this.#place.in !== "data") return bytes.length;
    const taken = Math.min(this.#place.left, bytes.length - at);
    this.#place.left -= taken;
    if (this.#place.left === 0) this.#place = boundary;
    return at + taken;
  }

  /**
   * Finds the place after the first read, which the parser has got. Only a chunked, uncompressed body is skimmed, and only if its whole
   * head was in that read.
   */
  #readHead(bytes: Buffer): void {
    const { "transfer-encoding": framing, "content-encoding": packing } = this.#message?.headers ?? {};
    const headEnd = bytes.indexOf("\r\n\r\n");
    const isPlain = framing === "chunked" && packing === undefined;
    if (!isPlain || headEnd < 0 || !bytes.toString("latin1", 0, 10).startsWith("HTTP/1.1 2")) {
      this.#place = other;
      return;
    }
    this.#place = boundary;
    for (let at = headEnd + 4; at < bytes.length; ) at = this.#pass(bytes, at);
  }

  /** Whether a whole and plain chunk starts there. The last chunk of a body, which is empty, does not count. */
  #findChunk(bytes: Buffer, at: number): boolean {
    let size = 0;
    let start = at;
    for (let digit = hexDigit(bytes[start]); digit >= 0; digit = hexDigit(bytes[start])) {
      if (start - at >= maxSizeDigits) return false;
      size = size * 16 + digit;
      start += 1;
    }
    if (size === 0 || bytes[start] !== carriageReturn || bytes[start + 1] !== lineFeed) return false;
    this.#start = start + 2;
    this.#end = this.#start + size;
    return bytes[this.#end] === carriageReturn && bytes[this.#end + 1] === lineFeed;
  }
}

function afterSizeByte(place: Extract<Place, { in: "size" }>, byte: number): Place {
  if (place.sawReturn) {
    if (byte !== lineFeed || place.size === 0) return other;
    // The line break after the payload counts as well.
    return { in: "data", left: place.size + 2 };
  }
  const digit = hexDigit(byte);
  if (digit >= 0 && place.digits < maxSizeDigits) {
    place.digits += 1;
    place.size = place.size * 16 + digit;
    return place;
  }
  if (byte !== carriageReturn || place.digits === 0) return other;
  place.sawReturn = true;
  return place;
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
