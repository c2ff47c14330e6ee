import { STATUS_CODES } from "node:http";
import type { Connection } from "./connection.ts";
import {
  type Ending,
  type OwnStep,
  type Playing,
  type Progress,
  passLoopTurn,
  playSteps,
} from "./play-steps.ts";
import { type Bytes, type Framing, type Head, type Script, toBytes } from "./script.ts";

interface Answering extends Playing {
  readonly keepAlive: boolean;
  readonly onWritten: (bytes: number) => void;
  framing: Framing | undefined;
  closesAfter: boolean;
}

/**
 * Plays a script on a connection. `onWritten` is called with the size in bytes of each packet that the kernel took.
 * Throws if the script itself is wrong, e.g. a body before its head.
 */
export async function playScript(
  script: Script,
  connection: Connection,
  options: { keepAlive: boolean; onWritten: (bytes: number) => void },
): Promise<Ending> {
  const playing: Answering = {
    connection,
    ...options,
    framing: undefined,
    closesAfter: false,
    ignoresAbort: false,
  };
  const progress = await playSteps(script, playing, playOwn);
  if (progress !== "next") return progress;
  if (playing.framing !== undefined && !playing.closesAfter) {
    return (await endBody(playing)) ? "answered" : "abandoned";
  }
  return finish(playing);
}

async function playOwn(step: OwnStep, playing: Answering): Promise<Progress> {
  if ("head" in step) return send(headText(step.head, playing), playing);
  if ("write" in step) return send(framed(step.write, playing), playing);
  if ("writeRaw" in step) return send(step.writeRaw, playing);
  return finish(playing);
}

async function send(bytes: Bytes, playing: Answering): Promise<Progress> {
  const packet = toBytes(bytes);
  if (!(await playing.connection.write(packet))) return "abandoned";
  playing.onWritten(packet.length);
  await passLoopTurn();
  return "next";
}

function headText({ status, headers = {}, framing }: Head, playing: Answering): string {
  const all: Record<string, string> = { ...headers };
  if (framing === "chunked") all["transfer-encoding"] = "chunked";
  else if (framing === "until-close") all.connection = "close";
  else all["content-length"] = String(framing.lengthBytes);
  if (!playing.keepAlive) all.connection = "close";
  playing.framing = framing;
  playing.closesAfter = all.connection === "close";
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n${lines.join("")}\r\n`;
}

function framed(bytes: Bytes, { framing }: Answering): Bytes {
  if (framing === undefined) throw new Error("the script writes a body before its head");
  const content = toBytes(bytes);
  // A chunk of no bytes would end the body.
  if (framing !== "chunked" || content.length === 0) return content;
  return Buffer.concat([Buffer.from(`${content.length.toString(16)}\r\n`), content, Buffer.from("\r\n")]);
}

async function endBody(playing: Answering): Promise<boolean> {
  if (playing.framing !== "chunked") return true;
  return (await send("0\r\n\r\n", playing)) === "next";
}

async function finish(playing: Answering): Promise<"ended" | "abandoned"> {
  if (!(await endBody(playing))) return "abandoned";
  playing.connection.end();
  return "ended";
}
