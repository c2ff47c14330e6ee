import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const bin = fileURLToPath(new URL("../../bin/troupe.js", import.meta.url));

/** The command line's server in its own process, with its own data folder. */
export interface CliRun extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly data: string;
  readonly output: () => string;
  readonly errors: () => string;
  /** Settles with the exit code once no process holds the output open. */
  readonly ended: Promise<number | null>;
  /** Settles with the port once the server listens. */
  listening(): Promise<number>;
  /** Sends the signal to every process of the group, as a terminal does. */
  killGroup(signal: NodeJS.Signals): void;
  /** Settles once the standard output contains a match. */
  said(words: RegExp): Promise<void>;
}

/** Starts `bin/troupe.js` with `args`. */
export function startCli(args: readonly string[], env: Record<string, string> = {}): Promise<CliRun> {
  return startCommand([process.execPath, bin, ...args], env);
}

/** Starts the server by a command such as a shell's. `env` is its whole environment, apart from its settings. */
export async function startCommand(
  [command = "", ...args]: readonly string[],
  env: Record<string, string> = {},
  cwd = process.cwd(),
): Promise<CliRun> {
  const data = await mkdtemp(path.join(tmpdir(), "troupe-cli-"));
  const settings = { TROUPE_DATA: data, TROUPE_LOCAL_PROVIDERS: "", ...env };
  const child = spawn(command, args, {
    cwd,
    env: settings,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  let errors = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    errors += text;
  });
  const ended = once(child, "close").then(([code]) => code as number | null);
  const fail = () => ended.then(() => assert.fail(`ended: ${errors}`));
  const killGroup = (signal: NodeJS.Signals) => {
    try {
      process.kill(-(child.pid ?? Number.NaN), signal);
    } catch (error) {
      // All of them have ended.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  return {
    child,
    killGroup,
    data,
    output: () => output,
    errors: () => errors,
    ended,
    async listening() {
      for (;;) {
        const port = /ws:\/\/\S+:(\d+)\/ws/.exec(output)?.[1];
        if (port !== undefined && output.includes("provider")) return Number(port);
        await Promise.race([once(child.stdout as NodeJS.ReadableStream, "data"), fail()]);
      }
    },
    async said(words) {
      while (!words.test(output)) {
        await Promise.race([once(child.stdout as NodeJS.ReadableStream, "data"), fail()]);
      }
    },
    async [Symbol.asyncDispose]() {
      killGroup("SIGKILL");
      await ended;
      await rm(data, { recursive: true });
    },
  };
}
