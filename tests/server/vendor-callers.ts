import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { createUpstreamDouble, type UpstreamDouble } from "../doubles/upstream-double.ts";
import { bearer } from "../support/key-system.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import { isTerminal } from "../support/wire-client.ts";

export const keys = { ada: "ada-0123456789abcdef", bob: "bob-0123456789abcdef" };
export type Owner = keyof typeof keys;
export const apiKeys = Object.entries(keys).map(([owner, key]) => ({ owner, key }));

/** A server of two callers, with a vendor that keeps the responses of both under one account. */
export interface VendorCallers extends AsyncDisposable {
  readonly server: RunningTroupe;
  readonly upstream: UpstreamDouble;
  readonly clock: TestClock;
  /** Asks with `openai_chat` and waits for the message that ends or refuses it. */
  ask(owner: Owner, data?: object): Promise<ServerMessage>;
}

export async function startVendorCallers(options: TroupeOptions = {}): Promise<VendorCallers> {
  const stack = new AsyncDisposableStack();
  const { folder: data } = stack.use(await createDataFolder());
  const upstream = stack.use(await createUpstreamDouble());
  const clock = createTestClock({ instantMs: 1_000 });
  const server = stack.use(
    await startTroupe({
      clock,
      data,
      apiKeys,
      openaiApiKey: "k",
      openaiBaseUrl: upstream.baseUrl,
      ...options,
    }),
  );
  return {
    server,
    upstream,
    clock,
    ask: (owner, data) => askOn(server, owner, data),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Asks on a new connection and waits for the message that ends or refuses the request. */
export async function askOn(server: RunningTroupe, owner: Owner, data: object = {}): Promise<ServerMessage> {
  const client = await server.connect(bearer(keys[owner]));
  client.send({ type: "openai_chat", data: { input_text: "Hi", pacing: { mode: "raw" }, ...data } });
  const end = await client.next((message) => isTerminal(message) || message.type === "error");
  client.terminate();
  return end;
}

/** The id of the response with which a request ended. */
export function responseIdOf(end: ServerMessage): string {
  if (end.type !== "response" || end.request_type !== "openai_chat") throw new Error(JSON.stringify(end));
  return String(end.data.id);
}
