import diagnostics from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { createOpenaiProvider } from "../../../src/adapters/openai/openai-provider.ts";
import type { FastReads } from "../../../src/adapters/upstream/fast/fast-reads.ts";
import { createUpstreamAgents } from "../../../src/adapters/upstream/upstream-call.ts";
import { textMessage } from "../../../src/ports/item.ts";
import type { JsonObject } from "../../../src/ports/json.ts";
import type { Provider, ProviderEvent, ProviderRequest } from "../../../src/ports/provider.ts";
import { createUpstreamDouble, type UpstreamDouble } from "../../doubles/upstream-double.ts";
import { createFastReads } from "../../support/fast-reads.ts";
import { createTestClock, type TestClock } from "../../support/test-clock.ts";
import { until } from "../../support/until.ts";

export interface ProviderSetup extends AsyncDisposable {
  readonly double: UpstreamDouble;
  readonly clock: TestClock;
  readonly provider: Provider;
  readonly warnings: readonly { readonly warning: string; readonly cause: unknown }[];
  /** Number of the provider's connections, in use or kept. */
  connections(): number;
  /** Number of connections kept for the next call. */
  idleConnections(): number;
}

interface SetupOptions {
  /** The address of the provider's calls. Default: that of the double. */
  readonly baseUrl?: (double: string) => string;
  /** Waits shorter than this pass at once. Default 0: none. */
  readonly instantMs?: number;
  readonly fastReads?: FastReads;
  readonly transport?: "http" | "websocket";
  /** Default: the double takes WebSockets if the transport is one. */
  readonly webSocket?: boolean;
}

/** The provider with a double as its upstream. Waits of 60 s and 300 s are in virtual time. */
export async function createProviderSetup({
  baseUrl = (double) => double,
  instantMs = 0,
  fastReads = createFastReads(),
  transport = "http",
  webSocket = transport === "websocket",
}: SetupOptions = {}): Promise<ProviderSetup> {
  await using stack = new AsyncDisposableStack();
  const double = stack.use(await createUpstreamDouble({ webSocket }));
  const agents = stack.use(createUpstreamAgents({}, fastReads));
  const made = stack.use(noteClientSockets());
  const clock = createTestClock({ instantMs });
  const warnings: { warning: string; cause: unknown }[] = [];
  const provider = createOpenaiProvider({
    apiKey: "key-of-a-test",
    baseUrl: baseUrl(double.baseUrl),
    agents,
    clock,
    transport,
    firstByteMs: 60_000,
    idleMs: 300_000,
    random: () => 0,
    onWarning: (warning, cause) => warnings.push({ warning, cause }),
  });
  const owned = stack.move();
  return {
    double,
    clock,
    provider,
    warnings,
    connections: () => made.open(),
    idleConnections: () => Object.values(agents.http.freeSockets).flat().length,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Notes the connections that this process makes. */
function noteClientSockets() {
  const sockets = new Set<Socket>();
  const note = (message: unknown) => {
    const { socket } = message as { readonly socket: Socket };
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
  diagnostics.subscribe("net.client.socket", note);
  return {
    open: () => [...sockets].filter(({ destroyed }) => !destroyed).length,
    [Symbol.dispose]: () => void diagnostics.unsubscribe("net.client.socket", note),
  };
}

export const question: ProviderRequest = {
  model: "gpt-4o-mini",
  input: [textMessage("user", "Well?")],
};

/** A call and its results so far. */
export interface Reading {
  readonly batches: readonly ProviderEvent[][];
  /** Settles with the error that it threw, or `undefined` if it ended normally. */
  readonly ended: Promise<unknown>;
  /** Settles when `count` text events have arrived. */
  texts(count: number): Promise<void>;
}

/** Reads a call to its end. */
export function reading(
  { provider }: ProviderSetup,
  signal = new AbortController().signal,
  changes: Partial<ProviderRequest> = {},
  from?: JsonObject,
): Reading {
  const batches: ProviderEvent[][] = [];
  const ended = (async () => {
    try {
      const call = { signal, ...(from === undefined ? {} : { from }) };
      for await (const batch of provider.stream({ ...question, ...changes }, call)) batches.push(batch);
      return undefined;
    } catch (error) {
      return error;
    }
  })();
  const textCount = () => batches.flat().filter(({ type }) => type === "text").length;
  return { batches, ended, texts: (count) => until(() => textCount() >= count) };
}
