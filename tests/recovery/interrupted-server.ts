import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { keptBefore } from "../crash/kept-before.ts";
import { createMortalThreads, type FailPoint } from "../crash/mortal-threads.ts";
import { createUpstreamDouble, type UpstreamDouble } from "../doubles/upstream-double.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import { isTerminal, type WireClient } from "../support/wire-client.ts";

/** One data folder and one upstream, for servers that die and others that follow them. */
export interface InterruptedServer extends AsyncDisposable {
  readonly upstream: UpstreamDouble;
  readonly database: string;
  /** Starts a server on that data, on its own clock unless one is given. */
  start(
    options?: TroupeOptions & { readonly clock?: TestClock },
  ): Promise<RunningTroupe & { readonly clock: TestClock }>;
  /**
   * Asks on a server whose store dies in place of one commit, which is like a crash before it. Returns the messages that
   * the client saw until then, or `undefined` if the store did not die, because there are fewer commits.
   */
  askAndDie(frame: { readonly id: string }, point: FailPoint): Promise<readonly ServerMessage[] | undefined>;
  /** Starts a server whose store dies while it continues a request. Returns whether it died. */
  startAndDie(requestId: string, point: FailPoint): Promise<boolean>;
}

export async function createInterruptedServer(): Promise<InterruptedServer> {
  const stack = new AsyncDisposableStack();
  const threads = stack.use(createMortalThreads());
  const place = stack.use(await createDataFolder());
  const upstream = stack.use(await createUpstreamDouble());

  async function start({
    clock: given = createTestClock({ instantMs: 9_000 }),
    ...options
  }: TroupeOptions & { readonly clock?: TestClock } = {}) {
    // Each server's clock would count ids from 1, but the servers share one database.
    const clock = Object.assign(given, { newId: () => crypto.randomUUID() });
    const server = await startTroupe({
      store: "sqlite",
      data: place.folder,
      clock,
      openaiApiKey: "k",
      openaiBaseUrl: upstream.baseUrl,
      ...options,
    });
    return Object.assign(server, { clock });
  }

  return {
    upstream,
    database: place.database,
    start,
    async askAndDie(frame, point) {
      threads.dieAt(point);
      await using server = await start();
      const client = await server.connect();
      client.send(frame);
      await client.next((message) => isTerminal(message) || message.type === "error");
      const { died } = threads;
      threads.dieAt(undefined);
      return died ? keptBefore([...client.received]) : undefined;
    },
    async startAndDie(requestId, point) {
      threads.dieAt(point);
      await using server = await start();
      const client = await server.connect();
      client.send({ type: "resume", data: { request_id: requestId, after_seq: 0 } });
      // The server may have died before this client came, which is then refused.
      await client.next((message) => isTerminal(message) || message.type === "error");
      const { died } = threads;
      threads.dieAt(undefined);
      return died;
    },
    [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
  };
}

/** All messages of a request from the first to its end. */
export async function replay(client: WireClient, requestId: string): Promise<ServerMessage[]> {
  client.send({ type: "resume", data: { request_id: requestId, after_seq: 0 } });
  return (await client.untilTerminal(requestId)).filter((message) => message.type !== "resumed");
}
