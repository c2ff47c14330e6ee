import { randomBytes } from "node:crypto";
import { createRawClient, type RawClient } from "../doubles/raw-client.ts";

/** The parts of one client frame, which may be wrong. */
export interface FrameParts {
  /** 1 text, 2 binary, 0 continuation, 8 close, 9 ping, 10 pong. */
  readonly opcode: number;
  readonly payload?: Uint8Array | string;
  /** Default true. */
  readonly fin?: boolean;
  /** The three reserved bits; 4 is the first. Default 0. */
  readonly reserved?: number;
  /** Default true. */
  readonly masked?: boolean;
  /** A false length to put into the frame. */
  readonly claimedBytes?: bigint;
}

/** A client frame as bytes. Its mask is 0, so the payload stays as it is. */
export function frameBytes(parts: FrameParts): Buffer {
  const { opcode, fin = true, reserved = 0, masked = true } = parts;
  const payload = Buffer.from(parts.payload ?? "");
  const bytes = parts.claimedBytes ?? BigInt(payload.length);
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  const mask = masked ? 0x80 : 0;
  let head: Buffer;
  if (bytes < 126n) {
    head = Buffer.from([first, mask | Number(bytes)]);
  } else if (bytes < 65_536n) {
    head = Buffer.from([first, mask | 126, 0, 0]);
    head.writeUInt16BE(Number(bytes), 2);
  } else {
    head = Buffer.from([first, mask | 127, ...Array<number>(8).fill(0)]);
    head.writeBigUInt64BE(bytes, 2);
  }
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), payload]);
}

export function closeFrame(code: number, reason: Uint8Array | string = ""): Buffer {
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)]);
  payload.writeUInt16BE(code, 0);
  return frameBytes({ opcode: 8, payload });
}

export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** A WebSocket whose bytes are all made by the test. */
export interface RawSocket extends Disposable {
  readonly tcp: RawClient;
  send(...frames: readonly (FrameParts | Uint8Array)[]): Promise<void>;
  /** The next frame; `undefined` when the connection has ended. */
  next(): Promise<ServerFrame | undefined>;
  /** Reads to the end. Returns code and reason of the close frame, 1006 if there was none, and the frames before it. */
  end(): Promise<{ readonly code: number; readonly reason: string; readonly frames: readonly ServerFrame[] }>;
}

/** The head of a handshake. `lines` are added; a line replaces the header of the same name. */
export function handshakeText(lines: readonly string[] = [], first = "GET /ws HTTP/1.1"): string {
  const nameOf = (line: string) => line.split(":", 1)[0]?.toLowerCase();
  const usual = [
    "Host: 127.0.0.1",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
  ];
  const kept = usual.filter((line) => !lines.some((other) => nameOf(other) === nameOf(line)));
  return `${[first, ...kept, ...lines].join("\r\n")}\r\n\r\n`;
}

/** Connects to a server by its `http://` address. */
export async function openRawSocket(httpUrl: string): Promise<RawSocket> {
  const tcp = await createRawClient(httpUrl);
  await tcp.send(handshakeText());
  let rest: Buffer = Buffer.alloc(0);
  const more = async () => {
    const packet = await tcp.next().catch(() => undefined);
    if (packet !== undefined) rest = Buffer.concat([rest, packet]);
    return packet !== undefined;
  };
  while (!rest.includes("\r\n\r\n")) {
    if (!(await more())) throw new Error("no answer to the handshake");
  }
  if (!rest.toString("latin1").startsWith("HTTP/1.1 101")) throw new Error(rest.toString("latin1"));
  rest = rest.subarray(rest.indexOf("\r\n\r\n") + 4);

  async function next(): Promise<ServerFrame | undefined> {
    for (;;) {
      const frame = readFrame(rest);
      if (frame !== undefined) {
        rest = rest.subarray(frame.bytes);
        return { opcode: frame.opcode, payload: frame.payload };
      }
      if (!(await more())) return undefined;
    }
  }

  return {
    tcp,
    send: (...frames) =>
      tcp.send(
        Buffer.concat(frames.map((frame) => (frame instanceof Uint8Array ? frame : frameBytes(frame)))),
      ),
    next,
    async end() {
      const frames: ServerFrame[] = [];
      let code = 1006;
      let reason = "";
      for (let frame = await next(); frame !== undefined; frame = await next()) {
        if (frame.opcode !== 8) frames.push(frame);
        else {
          code = frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0);
          reason = frame.payload.toString("utf8", 2);
        }
      }
      return { code, reason, frames };
    },
    [Symbol.dispose]: () => tcp[Symbol.dispose](),
  };
}

function readFrame(bytes: Buffer): (ServerFrame & { readonly bytes: number }) | undefined {
  const short = (bytes[1] ?? 0) & 0x7f;
  const head = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < head) return undefined;
  const length =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < head + length) return undefined;
  return {
    opcode: (bytes[0] ?? 0) & 0x0f,
    payload: bytes.subarray(head, head + length),
    bytes: head + length,
  };
}
