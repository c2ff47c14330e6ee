import { setImmediate as nextImmediate } from "node:timers/promises";
import { inspect } from "node:util";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { Logger } from "../../src/compose/log-observer.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { createUpstreamDouble, type UpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import { isTerminal, type WireClient } from "../support/wire-client.ts";

/** One server, one upstream and one client, for tests of single faults. */
export interface FaultBench extends AsyncDisposable {
  readonly double: UpstreamDouble;
  readonly client: WireClient;
  readonly clock: TestClock;
  /** Everything that was logged at every level, with all causes and properties of errors. */
  readonly logged: readonly string[];
  /** Sends an `openai_chat` with `data` added to its own. */
  ask(data?: object): void;
  /** Waits until the received messages fulfil a condition, however slow the machine is. */
  until(isSo: (received: readonly ServerMessage[]) => boolean): Promise<void>;
  /** Waits for the terminal message and returns everything up to it. */
  untilTerminal(): Promise<readonly ServerMessage[]>;
}

export const watchdogLimits = { firstByteMs: 10_000, idleMs: 20_000 };

/** Default of `instantMs`: only the rhythm passes by itself. Retries and watchdogs wait for `clock.advance`. */
export async function createFaultBench({
  instantMs = 100,
  ...options
}: TroupeOptions & { readonly instantMs?: number } = {}): Promise<FaultBench> {
  await using stack = new AsyncDisposableStack();
  const double = stack.use(
    await createUpstreamDouble({ keepAlive: false, webSocket: options.openaiTransport === "websocket" }),
  );
  const clock = createTestClock({ instantMs });
  const { logger, logged } = collectLog();
  const server = stack.use(
    await startTroupe({
      openaiApiKey: "test-key",
      openaiBaseUrl: double.baseUrl,
      clock,
      random: () => 0,
      logger,
      ...watchdogLimits,
      ...options,
    }),
  );
  const client = await server.connect();
  const owned = stack.move();
  return {
    double,
    client,
    clock,
    logged,
    ask: (data = {}) =>
      client.send({ type: "openai_chat", id: "asked", data: { input_text: "Tell me.", ...data } }),
    async until(isSo) {
      while (!isSo(client.received)) await client.next();
    },
    async untilTerminal() {
      await client.next(isTerminal);
      return client.received;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A logger that collects everything at every level, with all causes and properties of errors. */
export function collectLog(): { readonly logger: Logger; readonly logged: string[] } {
  const logged: string[] = [];
  const collect = (fields: object, message: string) => {
    logged.push(message, inspect(fields, { depth: Number.POSITIVE_INFINITY, showHidden: true }));
  };
  return { logger: { debug: collect, info: collect, warn: collect, error: collect }, logged };
}

/** Waits until everything that is on its way between the sockets of this process has arrived. */
export async function passLoopTurns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await nextImmediate();
}
