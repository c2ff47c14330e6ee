import { spawn } from "node:child_process";
import { join } from "node:path";
import type { CheckOutcome } from "./check-outcome.ts";
import { root } from "./repository.ts";

/**
 * Runs a program of an installed package (`entry` from the root) with this very Node, in the root. Returns whether it
 * exited with 0, and the text of both its outputs in the order in which it arrived.
 */
export function runCommand(entry: string, args: readonly string[]): Promise<CheckOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, entry), ...args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const written: Buffer[] = [];
    child.stdout.on("data", (bytes: Buffer) => written.push(bytes));
    child.stderr.on("data", (bytes: Buffer) => written.push(bytes));
    child.once("error", reject);
    child.once("close", (code) =>
      resolve({ ok: code === 0, output: Buffer.concat(written).toString("utf8").trim() }),
    );
  });
}
