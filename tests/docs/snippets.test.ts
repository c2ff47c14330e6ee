import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { readExamples, readSnippets } from "../../scripts/snippets.ts";
import {
  createTroupe,
  type Provider,
  type ProviderEvent,
  type Troupe,
  TroupeError,
  type TroupeOptions,
} from "../../src/index.ts";
import { textMessage, textMessages } from "../../src/ports/item.ts";
import { decodeClientMessage } from "../../src/protocol/decode.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const specified = "ws://localhost:8000/ws";

async function snippet(name: string, page = "README.md"): Promise<string> {
  const found = (await readSnippets(page)).find((one) => one.name === name);
  assert.ok(found, `${page} has a snippet named ${name}`);
  return found.code;
}

/**
 * Runs a snippet as the body of an async function, with its own console. If `url` is given, it takes the place of the documented
 * address.
 */
async function run(
  code: string,
  url: string | undefined,
  globals: Record<string, unknown> = {},
): Promise<string[]> {
  if (url !== undefined) assert.ok(code.includes(specified), "the snippet names the specified address");
  const lines: string[] = [];
  const print = (...values: unknown[]) => {
    lines.push(values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(" "));
  };
  const names = Object.keys(globals);
  const body = stripTypeScriptTypes(code.replaceAll(specified, url ?? specified), { mode: "strip" });
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

/** Gives a snippet of an embedding program a server on a free port and a troupe in memory. Disposing it closes both. */
function embedding() {
  const server = createServer();
  let troupe: Troupe | undefined;
  return {
    globals: {
      process: { env: {}, once: () => undefined },
      createServer(listener: RequestListener) {
        const listen = server.listen.bind(server);
        return Object.assign(server.on("request", listener), { listen: () => listen(0, "localhost") });
      },
      async createTroupe(options: TroupeOptions) {
        troupe = await createTroupe({ ...options, localProviders: [], store: "memory" });
        return troupe;
      },
    },
    async ask(path: string): Promise<unknown> {
      if (!server.listening) await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      return (await fetch(`http://localhost:${port}${path}`)).json();
    },
    async [Symbol.asyncDispose](): Promise<void> {
      server.close();
      await troupe?.close({ drainMs: 0 });
    },
  };
}

const withoutImports = (code: string) => code.replace(/^import .*\n/gm, "");

test("the program of docs/embed.md serves", async () => {
  await using program = embedding();
  await run(withoutImports(await snippet("embedding", "docs/embed.md")), undefined, program.globals);
  assert.deepEqual(await program.ask("/healthz"), { status: "ok" });
});

test("the persona of docs/personas.md is the only one", async () => {
  await using program = embedding();
  await run(withoutImports(await snippet("personas", "docs/personas.md")), undefined, program.globals);
  const { personas } = (await program.ask("/api/personas")) as { personas: { id: string }[] };
  assert.deepEqual(
    personas.map(({ id }) => id),
    ["captain"],
  );
});

test("the provider of docs/providers.md is the one that answers", async () => {
  await using program = embedding();
  const code = withoutImports(await snippet("own-provider", "docs/providers.md"));
  const [line] = await run(code, undefined, program.globals);
  assert.equal(line, 'api "openai" is answered by echo (echo-1), a provider of the application');
});

test("the provider in the example of `Provider` answers with the words of the question", async () => {
  await using program = embedding();
  const [example] = readExamples("src/ports/provider.ts");
  assert.ok(example);
  let parrot: Provider | undefined;
  const createWith = (options: TroupeOptions) => {
    parrot = options.providers?.choose("openai", undefined).provider;
    return program.globals.createTroupe(options);
  };
  const globals = { createTroupe: createWith, textMessages, TroupeError };
  const [line] = await run(withoutImports(example.code), undefined, globals);
  assert.equal(line, 'api "openai" is answered by parrot (parrot-1), a provider of the application');
  const events: ProviderEvent[] = [];
  const request = { model: "m", input: [textMessage("user", "Well, well?")] };
  for await (const batch of parrot?.stream(request, new AbortController()) ?? []) events.push(...batch);
  assert.deepEqual(events, [
    { type: "started" },
    { type: "text", text: "Well," },
    { type: "text", text: " well?" },
    { type: "end", finishReason: "stop", model: "m" },
  ]);
});

test("the client of docs/clients.md asks, resumes and reads its conversation", async () => {
  await using server = await startTroupe({ clock: createTestClock({ instantMs: 1_000 }) });
  const { createTroupeClient } = await import("troupe/client");
  const code = withoutImports(await snippet("client-verbs", "docs/clients.md"));
  const lines = await run(code, server.url, { createTroupeClient });
  assert.match(lines[0] ?? "", /^completed /);
  assert.equal(lines[1], "2");
});

test("the client of docs/keys.md comes with a ticket for each attempt, and is told if its key is wrong", async () => {
  const { createTroupeClient, ticketUrl } = await import("troupe/client");
  const [, code] = (await snippet("ticket-client", "docs/keys.md")).split('from "troupe/client";');
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
