import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync } from "node:fs";

/** A program that the cluster runs in a process of its own. */
export interface Program {
  readonly pid: number;
  /** Settles when the process has ended, with its signal or its exit code and its last lines. */
  readonly ended: Promise<string>;
  /** Sends a signal and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

interface ProgramOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the process. */
  readonly environment: NodeJS.ProcessEnv;
  /** Takes everything that the process writes. */
  readonly logFile: string;
  /** The line that it writes once it is ready. Default: it is ready at once. */
  readonly ready?: RegExp;
}

/** The end of the output that is kept for a message, characters. */
const maxOutputChars = 1_000;

/** Starts a program, and settles when it is ready. Rejects with the end of its output if it ends before. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const { command, args, environment, logFile, ready } = options;
  const log = createWriteStream(logFile, { flags: "a" });
  // In a group of its own: Ctrl-C in the terminal must not stop the database before the nodes that still write to it.
  const child = spawn(command, args, { env: environment, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const killAtExit = () => child.kill("SIGKILL");
  process.once("exit", killAtExit);
  let output = "";
  const ended = endOf(child, () => output).finally(() => {
    process.off("exit", killAtExit);
    log.end();
  });
  const isReady = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(log, { end: false });
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-maxOutputChars);
      if (ready?.test(output) === true) isReady.resolve();
    });
  }
  if (ready === undefined) isReady.resolve();
  await Promise.race([
    isReady.promise,
    ended.then((how) => {
      throw new Error(`${command} ended: ${how}`);
    }),
  ]);
  return {
    pid: child.pid ?? 0,
    ended,
    async stop(signal) {
      child.kill(signal);
      await ended;
    },
  };
}

async function endOf(child: ChildProcess, output: () => string): Promise<string> {
  const [code, signal] = await once(child, "close");
  if (signal !== null) return String(signal);
  return code === 0 ? "0" : `${code}: ${output().trim()}`;
}

/** The first of these files that exists. */
export function findProgram(files: readonly string[]): string | undefined {
  return files.find((file) => existsSync(file));
}
