import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { pinned } from "./cores.ts";

export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Matches the line that says that the server is listening; its first group is the port. */
  readonly readyLine: RegExp;
  readonly isPinned: boolean;
}

/** A server on the measured core. */
export interface MeasuredProcess extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
}

/** Maximum number of start-up lines kept for the error if the program fails. */
const maxLines = 20;
const maxStartMs = 30_000;

/** Starts a server. Rejects with the server's output if it ends or is not ready in time. */
export async function startMeasured(options: ProcessOptions): Promise<MeasuredProcess> {
  const { command, args, environment = {}, readyLine, isPinned } = options;
  const [program = "", ...rest] = isPinned ? [...pinned, command, ...args] : [command, ...args];
  const child = spawn(program, rest, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
  });
  const said: string[] = [];
  const port = Promise.withResolvers<number>();
  const listen = (stream: Readable) => {
    createInterface({ input: stream }).on("line", (line) => {
      if (said.length < maxLines) said.push(line);
      const found = readyLine.exec(line);
      if (found !== null) port.resolve(Number(found[1]));
    });
  };
  listen(child.stdout);
  listen(child.stderr);
  const fail = (what: string) => port.reject(new Error(`${command} ${what}:\n${said.join("\n")}`));
  const ended = once(child, "exit").then(
    () => fail("ended before it served"),
    (error: Error) => fail(error.message),
  );
  const patience = setTimeout(() => fail("was not ready in time"), maxStartMs);

  async function stop(): Promise<void> {
    clearTimeout(patience);
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    const impatience = setTimeout(() => child.kill("SIGKILL"), 5_000);
    await ended;
    clearTimeout(impatience);
  }

  try {
    const served = await port.promise;
    await accepting(served);
    clearTimeout(patience);
    return { pid: child.pid ?? 0, port: served, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Settles when a port accepts connections, which may be a moment after the server has said so. */
async function accepting(port: number): Promise<void> {
  for (let attempt = 0; attempt < 250; attempt += 1) {
    const socket = net.connect({ port, host: "127.0.0.1" });
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await sleep(20);
  }
  throw new Error(`Nothing listens on port ${port}.`);
}
