import type { Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import {
  type Ending,
  type OwnStep,
  type Playing,
  type Progress,
  passLoopTurn,
  playSteps,
} from "./play-steps.ts";
import type { ReceivedMessage } from "./request-reader.ts";
import type { Script } from "./script.ts";

const upgrader = new WebSocketServer({ noServer: true, perMessageDeflate: false });

export function isUpgrade({ headers }: Pick<ReceivedMessage, "headers">): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/** Accepts an upgrade. From then on, the socket belongs to `ws`. */
export function acceptUpgrade({ method, path, headers }: ReceivedMessage, socket: Socket): WebSocket {
  let accepted: WebSocket | undefined;
  const request = { method, url: path, headers, httpVersion: "1.1" };
  socket.removeAllListeners("data");
  upgrader.handleUpgrade(request as never, socket, Buffer.alloc(0), (opened) => {
    accepted = opened;
  });
  if (accepted === undefined) throw new Error("the upgrade was not accepted");
  return accepted;
}

/** The end of an answer, after which the socket is free for the next call. */
const terminal = /"type":"response\.(completed|done|incomplete|failed|cancelled)"/;

interface Answering extends Playing {
  readonly socket: WebSocket;
  /** False: the socket is closed after each answer. */
  readonly keepAlive: boolean;
  readonly onWritten: (bytes: number) => void;
  /** The head of a refusal, whose body is the next write. */
  refusal: { readonly status: number; readonly headers: Readonly<Record<string, string>> } | undefined;
  /** Text of the event stream that is not a whole event yet. */
  open: string;
  readonly decoder: InstanceType<typeof TextDecoder>;
  hasEnded: boolean;
}

/**
 * Plays the script of an answer over a WebSocket: each event of the stream is a frame, and a refusal is an error frame with its status
 * and headers. A script that runs out before the terminal event closes the socket.
 */
export async function playOverSocket(
  script: Script,
  socket: WebSocket,
  options: Pick<Answering, "connection" | "keepAlive" | "onWritten">,
): Promise<Ending> {
  const playing: Answering = {
    ...{ socket, ...options, refusal: undefined, open: "", decoder: new TextDecoder() },
    ...{ hasEnded: false, ignoresAbort: false },
  };
  const progress = await playSteps(script, playing, playOwn);
  if (progress !== "next") return progress;
  if (playing.refusal !== undefined) await write("", playing);
  // Text that is no event stream, such as a page of HTML.
  if (!/^(data|event|:)/.test(playing.open) && playing.open.trim() !== "")
    await send([playing.open], playing);
  if (playing.hasEnded && playing.keepAlive) return "answered";
  socket.close(1000);
  return playing.hasEnded ? "ended" : "cut";
}

async function playOwn(step: OwnStep, playing: Answering): Promise<Progress> {
  if ("head" in step) {
    const { status, headers = {} } = step.head;
    if (status < 200 || status > 299) playing.refusal = { status, headers };
    return "next";
  }
  if ("write" in step) return write(step.write, playing);
  if ("writeRaw" in step)
    return (await playing.connection.write(Buffer.from(step.writeRaw))) ? "next" : "abandoned";
  playing.socket.close(1000);
  return "ended";
}

async function write(bytes: string | Uint8Array, playing: Answering): Promise<Progress> {
  playing.open += playing.decoder.decode(typeof bytes === "string" ? Buffer.from(bytes) : bytes, {
    stream: true,
  });
  if (playing.refusal !== undefined) {
    const { status, headers } = playing.refusal;
    const body = parse(playing.open);
    playing.open = "";
    playing.refusal = undefined;
    return send([JSON.stringify({ type: "error", status, headers, ...body })], playing);
  }
  const blocks = playing.open.split(/\r?\n\r?\n/);
  playing.open = blocks.pop() ?? "";
  const frames = blocks.flatMap((block) => {
    const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
    return lines.length === 0 ? [] : [lines.map((line) => line.slice(5).trimStart()).join("\n")];
  });
  return send(frames, playing);
}

function parse(text: string): object {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text };
  }
}

/** Sends frames that arrive together. */
async function send(frames: readonly string[], playing: Answering): Promise<Progress> {
  const { socket, onWritten } = playing;
  if (socket.readyState !== socket.OPEN) return "abandoned";
  playing.hasEnded ||= frames.some((frame) => terminal.test(frame));
  const sent = frames.map((frame) => new Promise((resolve) => socket.send(frame, resolve)));
  // The peer must not use the socket again, so it learns that with the end of the answer.
  if (playing.hasEnded && !playing.keepAlive) socket.close(1000);
  const errors = await Promise.all(sent);
  if (errors.some((error) => error)) return "abandoned";
  onWritten(frames.reduce((sum, frame) => sum + Buffer.byteLength(frame), 0));
  await passLoopTurn();
  return "next";
}
