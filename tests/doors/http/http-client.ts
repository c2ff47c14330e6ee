import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../../src/compose/create-troupe.ts";
import { type RunningTroupe, startTroupe } from "../../support/start-troupe.ts";
import { createTestClock, type TestClock } from "../../support/test-clock.ts";

/** An answer as it arrived. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text parsed as JSON. */
  readonly body: unknown;
}

/** A server with two owners, and calls in their names. */
export interface System extends AsyncDisposable {
  readonly server: RunningTroupe;
  readonly clock: TestClock;
  /** Sends one request as `ada`, as another owner, or without a key (`null`). */
  call(method: string, address: string, options?: CallOptions): Promise<Reply>;
  /** Asks a question over the socket, waits for the end of the answer, and returns the conversation's id. */
  ask(id: string, message: string, options?: { owner?: Owner; conversation?: string }): Promise<string>;
}

type Owner = "ada" | "bob";
interface CallOptions {
  readonly owner?: Owner | null;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

const keys = { ada: "ada-0123456789abcdef", bob: "bob-0123456789abcdef" };

/** Runs the same tests against the store in memory and the store in a database. */
export function describeWithBothStores(
  name: string,
  tests: readonly (readonly [title: string, run: (system: System) => Promise<void>])[],
): void {
  for (const store of ["memory", "sqlite"] as const) {
    describe(`${name}, kept in ${store}`, () => {
      for (const [title, run] of tests) {
        it(title, async () => {
          await using system = await startSystem({ store });
          await run(system);
        });
      }
    });
  }
}

/** Starts the server. Its data is deleted with it. */
export async function startSystem(options: TroupeOptions): Promise<System> {
  const data = await mkdtemp(path.join(tmpdir(), "troupe-http-"));
  const clock = createTestClock({ instantMs: 1_000 });
  const apiKeys = Object.entries(keys).map(([owner, key]) => ({ owner, key }));
  const server = await startTroupe({ data, clock, apiKeys, ...options });
  const authorization = (owner: Owner) => ({ authorization: `Bearer ${keys[owner]}` });
  return {
    server,
    clock,
    async call(method, address, { owner = "ada", body, headers = {} } = {}) {
      const response = await fetch(`${server.httpUrl}${address}`, {
        method,
        headers: { ...(owner === null ? {} : authorization(owner)), ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: isJson ? JSON.parse(text) : null,
      };
    },
    async ask(id, message, { owner = "ada", conversation = "new" } = {}) {
      const client = await server.connect({ headers: authorization(owner) });
      client.send({
        type: "chat",
        id,
        data: { message, persona_id: "teacher", max_tokens: 3, conversation_id: conversation },
      });
      const terminal = (await client.untilTerminal(id)).at(-1);
      assert.ok(terminal?.type === "response" && terminal.request_type === "chat");
      return terminal.data.conversation_id;
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(data, { recursive: true });
    },
  };
}
