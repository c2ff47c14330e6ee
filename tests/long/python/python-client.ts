import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import type { ServerMessage } from "../../../src/protocol/server-messages.ts";

export const clientFile = `${import.meta.dirname}/../../../backend/websocket_test_client.py`;
const python = ["/usr/bin/python3", "python3", "python"].find(
  (command) => spawnSync(command, ["-c", "import websockets"]).status === 0,
);
/** On CI the package must be there. Elsewhere the tests are skipped without it. */
const mayLack = python === undefined && process.env.CI !== "true";
export const withPython = { skip: mayLack && "no Python with the package websockets" };

export const startPython = (...args: string[]) => startPythonIn({}, ...args);

export function startPythonIn(env: Record<string, string>, ...args: string[]) {
  assert.ok(python, "no Python with the package websockets");
  const child = spawn(python, ["-B", "-W", "error", ...args], {
    ...{ timeout: 120_000, killSignal: "SIGKILL", env: { ...process.env, ...env } },
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  return { child, ended: once(child, "close").then(([code]) => ({ code: code as unknown, ...output })) };
}

export const startClient = (url: string, ...args: string[]) => startPython(clientFile, "--url", url, ...args);
export const runClient = (url: string, ...args: string[]) => startClient(url, ...args).ended;

/** The frames that a run printed, one per line. */
export const framesOf = ({ stdout }: { stdout: string }): ServerMessage[] =>
  JSON.parse(`[${stdout.trimEnd().replaceAll("\n", ",")}]`);
