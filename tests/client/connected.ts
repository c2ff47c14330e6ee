import { createTroupeClient, type TroupeClient, type TroupeClientOptions } from "../../src/client/index.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";

/** A client that reconnects at once and never waits for a heartbeat. It is closed at the end of the scope. */
export function eagerClient(
  url: string,
  options: Partial<TroupeClientOptions> = {},
): TroupeClient & Disposable {
  const client = createTroupeClient({
    url,
    backoff: () => 0,
    setTimer(run, delayMs) {
      if (delayMs > 1000) return () => undefined;
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    },
    ...options,
  });
  return Object.defineProperty(client as TroupeClient & Disposable, Symbol.dispose, {
    value: () => client.close(),
  });
}

export async function collect(messages: AsyncIterable<ServerMessage>): Promise<ServerMessage[]> {
  const collected: ServerMessage[] = [];
  for await (const message of messages) collected.push(message);
  return collected;
}
