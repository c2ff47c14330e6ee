import { STATUS_CODES } from "node:http";
import { setImmediate as nextImmediate, setTimeout as sleep } from "node:timers/promises";
import { aborted, type Connection } from "./connection.ts";
import { type Bytes, type Framing, type Head, type Script, type Step, toBytes } from "./script.ts";

/**
 * How a script ended. `answered` leaves the connection open for the next call, and `ended` sent FIN after a whole body.
 * `cut` broke the connection on purpose, and `abandoned` means that the client left.
 */
export type Ending = "answered" | "ended" | "cut" | "abandoned";

type Progress = "next" | Exclude<Ending, "answered">;

interface Playing {
  readonly connection: Connection;
  readonly keepAlive: boolean;
  readonly onWritten: (bytes: number) => void;
  framing: Framing | undefined;
  closesAfter: boolean;
  ignoresAbort: boolean;
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
  const playing: Playing = {
    connection,
    ...options,
    framing: undefined,
    closesAfter: false,
    ignoresAbort: false,
  };
  const progress = await playSteps(script, playing);
  if (progress !== "next") return progress;
  if (playing.framing !== undefined && !playing.closesAfter) {
    return (await endBody(playing)) ? "answered" : "abandoned";
  }
  return finish(playing);
}

async function playSteps(steps: readonly Step[], playing: Playing): Promise<Progress> {
  for (const step of steps) {
    if (goneSignal(playing).aborted) return "abandoned";
    const progress = await playStep(step, playing);
    if (progress !== "next") return progress;
  }
  return "next";
}

async function playStep(step: Step, playing: Playing): Promise<Progress> {
  if ("head" in step) return send(headText(step.head, playing), playing);
  if ("write" in step) return send(framed(step.write, playing), playing);
  if ("writeRaw" in step) return send(step.writeRaw, playing);
  if ("waitFor" in step)
    return wait(typeof step.waitFor === "function" ? step.waitFor() : step.waitFor, playing);
  if ("delayMs" in step) return delay(step.delayMs, playing);
  if ("repeat" in step) {
    for (;;) {
      const progress = await playSteps(step.repeat, playing);
      if (progress !== "next") return progress;
    }
  }
  if ("ignoreAbort" in step) {
    playing.ignoresAbort = true;
    return "next";
  }
  if ("hang" in step) {
    await aborted(goneSignal(playing));
    return "abandoned";
  }
  if ("end" in step) return finish(playing);
  if ("reset" in step) playing.connection.reset();
  else playing.connection.end();
  return "cut";
}

/**
 * Aborts when the script has no reader left: when the client leaves or, if the script ignores that, when the socket is
 * closed.
 */
function goneSignal({ connection, ignoresAbort }: Playing): AbortSignal {
  return ignoresAbort ? connection.closed : connection.clientGone;
}

async function send(bytes: Bytes, playing: Playing): Promise<Progress> {
  const packet = toBytes(bytes);
  if (!(await playing.connection.write(packet))) return "abandoned";
  playing.onWritten(packet.length);
  await passLoopTurn();
  return "next";
}

/**
 * Lets the event loop poll its sockets once. It takes two immediates, because one that is set while polling runs before
 * the next poll. Without it, a reader in this process would get several writes as one piece.
 */
async function passLoopTurn(): Promise<void> {
  await nextImmediate();
  await nextImmediate();
}

async function wait(promise: PromiseLike<unknown>, playing: Playing): Promise<Progress> {
  const signal = goneSignal(playing);
  const { promise: left, resolve: leave } = Promise.withResolvers<void>();
  const onAbort = (): void => leave();
  signal.addEventListener("abort", onAbort);
  try {
    await Promise.race([promise, left]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  return signal.aborted ? "abandoned" : "next";
}

async function delay(delayMs: number, playing: Playing): Promise<Progress> {
  const signal = goneSignal(playing);
  try {
    await sleep(delayMs, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return signal.aborted ? "abandoned" : "next";
}

function headText({ status, headers = {}, framing }: Head, playing: Playing): string {
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

function framed(bytes: Bytes, { framing }: Playing): Bytes {
  if (framing === undefined) throw new Error("the script writes a body before its head");
  const content = toBytes(bytes);
  // A chunk of no bytes would end the body.
  if (framing !== "chunked" || content.length === 0) return content;
  return Buffer.concat([Buffer.from(`${content.length.toString(16)}\r\n`), content, Buffer.from("\r\n")]);
}

async function endBody(playing: Playing): Promise<boolean> {
  if (playing.framing !== "chunked") return true;
  return (await send("0\r\n\r\n", playing)) === "next";
}

async function finish(playing: Playing): Promise<"ended" | "abandoned"> {
  if (!(await endBody(playing))) return "abandoned";
  playing.connection.end();
  return "ended";
}
