import assert from "node:assert/strict";
import { stripTypeScriptTypes } from "node:module";
import { test } from "node:test";
import { readSnippets } from "../../scripts/snippets.ts";
import { decodeClientMessage } from "../../src/protocol/decode.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const specified = "ws://localhost:8000/ws";

async function snippet(name: string, page = "README.md"): Promise<string> {
  const found = (await readSnippets(page)).find((one) => one.name === name);
  assert.ok(found, `${page} has a snippet named ${name}`);
  return found.code;
}

/** Runs a snippet as an async function body, with its own console, against another address than the documented one. */
async function run(code: string, url: string, globals: Record<string, unknown> = {}): Promise<string[]> {
  assert.ok(code.includes(specified), "the snippet names the specified address");
  const lines: string[] = [];
  const print = (...values: unknown[]) => {
    lines.push(values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(" "));
  };
  const names = Object.keys(globals);
  const body = stripTypeScriptTypes(code.replaceAll(specified, url), { mode: "strip" });
  const evaluate = new Function("console", ...names, `return (async () => { ${body}\n })();`);
  await evaluate({ log: print, error: print }, ...names.map((name) => globals[name]));
  return lines;
}

test("the requests on PROTOCOL.md decode as what they are called", async () => {
  for (const type of ["openai_chat", "chat", "multi_chat"]) {
    const decoded = decodeClientMessage(await snippet(`${type.replace("_", "-")}-request`, "PROTOCOL.md"));
    assert.ok(decoded.ok && decoded.message.type === type);
  }
});

test("the plain JavaScript of README.md streams an answer", async () => {
  await using server = await startTroupe({ clock: createTestClock({ instantMs: 1_000 }) });
  const ended = Promise.withResolvers<void>();
  class WatchedSocket extends WebSocket {
    constructor(url: string) {
      super(url);
      this.addEventListener("message", (event) => {
        if (JSON.parse(String(event.data)).type === "response") setImmediate(() => ended.resolve());
      });
    }
  }
  const lines = await run(await snippet("plain-javascript"), server.url, { WebSocket: WatchedSocket });
  await ended.promise;
  assert.equal(lines[0], "Initializing...");
  assert.match(lines.at(-1) ?? "", /This is a scripted demonstration.*"object":"response"/s);
});

test("the client library's snippet of README.md streams three personas and ends", async () => {
  await using server = await startTroupe({ clock: createTestClock({ instantMs: 1_000 }) });
  const code = await snippet("client-library");
  const { createTroupeClient } = await import("troupe/client");
  const [, withoutImport] = code.split('from "troupe/client";');
  assert.ok(withoutImport);
  const lines = await run(withoutImport, server.url, { createTroupeClient });
  for (const id of ["tech_enthusiast", "creative_writer", "data_scientist"]) {
    assert.ok(lines.some((line) => line.startsWith(`${id}: `)));
  }
  assert.match(lines.at(-1) ?? "", /"outcome":"complete"/);
});

test("the embedding snippet of README.md carries a server beside other routes", async () => {
  const { createServer } = await import("node:http");
  const { createTroupe } = await import("troupe");
  await using troupe = Object.assign(await createTroupe({ localProviders: [], store: "memory" }), {
    async [Symbol.asyncDispose](): Promise<void> {
      server.close();
      await troupe.close();
    },
  });
  const server = createServer(troupe.listener);
  troupe.attach(server);
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const { port } = server.address() as { port: number };
  assert.equal((await fetch(`http://localhost:${port}/healthz`)).status, 200);
  const code = await snippet("embedding");
  for (const call of ["createTroupe(", "troupe.listener", "troupe.attach(server)", "troupe.close()"]) {
    assert.ok(code.includes(call), call);
  }
});

test("the client of docs/deploy.md comes with a ticket for each attempt, and is told if its key is wrong", async () => {
  const { createTroupeClient, ticketUrl } = await import("troupe/client");
  const [, code] = (await snippet("ticket-client", "docs/deploy.md")).split('from "troupe/client";');
  assert.ok(code);
  const key = "ada-0123456789abcdef";
  for (const [known, words] of [
    [key, /This is a scripted demonstration/],
    ["bob-0123456789abcdef", /"code":"unauthenticated"/],
  ] as const) {
    const clock = createTestClock({ instantMs: 1_000 });
    await using server = await startTroupe({ clock, apiKeys: [{ owner: "ada", key: known }] });
    const lines = await run(code, server.url, { createTroupeClient, ticketUrl });
    assert.match(lines.join("\n"), words);
  }
});
