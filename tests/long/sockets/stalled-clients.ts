import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import path from "node:path";

const python = ["/usr/bin/python3", "/usr/local/bin/python3"].find(existsSync);
export const hasPython = python !== undefined;

export interface StalledClientsOptions {
  readonly port: string;
  readonly count: number;
  /** The bytes that each client sends. Before each sending but the first, it waits for an answer that ends a head. */
  readonly sendings: readonly (string | Uint8Array)[];
}

/** Connects `stalled_clients.py`. Settles when all clients have sent everything and read the first byte of the answer. */
export async function startStalledClients(options: StalledClientsOptions): Promise<AsyncDisposable> {
  if (python === undefined) throw new Error("no Python");
  const program = path.join(import.meta.dirname, "stalled_clients.py");
  const args = ["-B", program, options.port, String(options.count), "\r\n\r\n"];
  const child = spawn(python, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const lines = options.sendings.map((sending) => Buffer.from(sending).toString("base64"));
  child.stdin.write(`${lines.join("\n")}\n\n`);
  const outcome = await Promise.race([once(child.stdout, "data"), ended.then(() => undefined)]);
  if (outcome === undefined) throw new Error("the clients have ended");
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
