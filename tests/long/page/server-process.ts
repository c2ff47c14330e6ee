import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

const cli = path.resolve(import.meta.dirname, "../../../bin/troupe.js");

/** The server in its own process, which can be killed and started again at the same address. */
export interface ServerProcess extends AsyncDisposable {
  readonly httpUrl: string;
  /** The address of the copy of the page that the server wrote to disk. */
  readonly diskPageUrl: string;
  /** Kills the process as a crash would. */
  kill(): Promise<void>;
  /** Starts it again; `more` adds variables. */
  restart(more?: Record<string, string>): Promise<void>;
}

/** Starts it on a free port of this machine, with the demonstration's provider; `env` adds variables. */
export async function startServerProcess(env: Record<string, string> = {}): Promise<ServerProcess> {
  const data = await mkdtemp(path.join(tmpdir(), "troupe-page-"));
  let port = "0";
  let child = await start();

  async function start(more: Record<string, string> = {}): Promise<ChildProcess> {
    const flags = ["--port", port, "--data", data, "--log-level", "silent", "--local-providers", ""];
    const started = spawn(process.execPath, ["--conditions=troupe-source", cli, ...flags], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env, ...more },
    });
    for await (const line of createInterface({ input: started.stdout })) {
      const found = /listens on ws:\/\/[^:]+:(\d+)/.exec(line);
      if (found === null) continue;
      port = found[1] ?? port;
      started.stdout.resume();
      return started;
    }
    throw new Error("The server ended before it listened.");
  }

  async function kill(): Promise<void> {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  return {
    get httpUrl() {
      return `http://localhost:${port}`;
    },
    diskPageUrl: `file://${path.join(data, "websocket_test.html")}`,
    kill,
    async restart(more) {
      child = await start(more);
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await kill();
      await rm(data, { recursive: true });
    },
  };
}
