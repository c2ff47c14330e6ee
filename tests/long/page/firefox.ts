import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { lanName } from "./browser.ts";

const folders = (process.env.PATH ?? "").split(path.delimiter);
const executable = ["firefox-esr", "firefox"]
  .flatMap((name) => folders.map((folder) => path.join(folder, name)))
  .find(isExecutable);

/** On CI a Firefox must be there. Elsewhere the tests are skipped without one. */
export const withFirefox = {
  skip: executable === undefined && process.env.CI !== "true" && "no Firefox in PATH",
};

/** A tab of Firefox, driven over WebDriver BiDi, because `playwright-core` needs its own build of Firefox. */
export interface FirefoxTab extends AsyncDisposable {
  /** Console errors and uncaught exceptions of the page. */
  readonly faults: readonly string[];
  open(url: string): Promise<void>;
  reload(): Promise<void>;
  /** The value of an expression in the page, passed as JSON. */
  evaluate(expression: string): Promise<unknown>;
  /** Waits until an expression in the page is true. */
  until(condition: string): Promise<void>;
}

const preferences = {
  // The name of the tests in a local network, resolved without a DNS server.
  "network.dns.localDomains": lanName,
  "app.normandy.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "toolkit.telemetry.enabled": false,
};

export async function startFirefox(): Promise<FirefoxTab> {
  assert.ok(executable !== undefined, "no Firefox in PATH");
  const profile = await mkdtemp(path.join(tmpdir(), "troupe-firefox-"));
  const lines = Object.entries(preferences).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
  );
  await writeFile(path.join(profile, "user.js"), lines.join("\n"));
  const flags = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"];
  const child = spawn(executable, flags, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "exit");
  const address = await addressIn(createInterface({ input: child.stderr }));
  child.stderr.resume();
  const session = await openSession(`${address}/session`);
  await session.send("session.new", { capabilities: {} });
  await session.send("session.subscribe", { events: ["log.entryAdded"] });
  const { contexts } = (await session.send("browsingContext.getTree", {})) as {
    contexts: { context: string }[];
  };
  const { context } = contexts[0] ?? assert.fail("Firefox has no tab");

  async function evaluate(expression: string): Promise<unknown> {
    const answer = (await session.send("script.evaluate", {
      ...{ target: { context }, awaitPromise: true },
      expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value ?? null))`,
    })) as { type: string; result?: { value: string }; exceptionDetails?: { text: string } };
    assert.equal(answer.type, "success", answer.exceptionDetails?.text);
    return JSON.parse(answer.result?.value ?? "null");
  }

  return {
    faults: session.faults,
    open: async (url) =>
      void (await session.send("browsingContext.navigate", { context, url, wait: "complete" })),
    reload: async () => void (await session.send("browsingContext.reload", { context, wait: "complete" })),
    evaluate,
    until: async (condition) =>
      void (await evaluate(
        `new Promise((resolve) => { const look = () => (${condition}) ? resolve() : setTimeout(look, 20); look(); })`,
      )),
    async [Symbol.asyncDispose]() {
      session.close();
      child.kill("SIGTERM");
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function addressIn(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    const found = /WebDriver BiDi listening on (ws:\S+)/.exec(line)?.[1];
    if (found !== undefined) return found;
  }
  throw new Error("Firefox ended before it listened.");
}

/** Matches answers to commands by their numbers, and collects the page's errors. */
async function openSession(url: string) {
  const socket = new WebSocket(url);
  await once(socket, "open");
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const faults: string[] = [];
  socket.on("message", (bytes) => {
    const { id, type, result, message, method, params } = JSON.parse(String(bytes));
    if (method === "log.entryAdded" && params.level === "error") faults.push(String(params.text));
    if (type === "success") waiting.get(id)?.resolve(result);
    if (type === "error") waiting.get(id)?.reject(new Error(String(message)));
  });
  socket.on("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("Firefox is gone."));
  });
  let count = 0;
  return {
    faults,
    send(method: string, params: object): Promise<unknown> {
      count += 1;
      const answer = Promise.withResolvers<unknown>();
      waiting.set(count, answer);
      socket.send(JSON.stringify({ id: count, method, params }));
      return answer.promise;
    },
    close: () => socket.terminate(),
  };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
