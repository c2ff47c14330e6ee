import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { createGate, type Script } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { type ClusterServer, startCluster } from "../support/start-cluster.ts";
import { createTestClock } from "../support/test-clock.ts";
import type { WireClient } from "../support/wire-client.ts";

export const wholeText = "One two three four five six.";
export const events = answer({ deltas: ["One ", "two ", "three ", "four ", "five ", "six."] });

/** A provider that stops in the middle of its answer until the gate opens. */
export async function createGatedUpstream() {
  const gate = createGate();
  const upstream = await createUpstreamDouble({ keepAlive: false });
  const script = streamScript(events);
  upstream.respond([...script.slice(0, 7), { waitFor: gate.opened }, ...script.slice(7)] satisfies Script);
  return { gate, upstream };
}

/** Two servers on the same stores, and a provider that stops in the middle of its answer until the gate opens. */
export async function startGatedCluster(limits: Parameters<typeof startCluster>[2] = {}) {
  const { gate, upstream } = await createGatedUpstream();
  const clock = createTestClock({ instantMs: 900 });
  const options: TroupeOptions = { openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, clock };
  const cluster = await startCluster(2, options, limits);
  const stack = new AsyncDisposableStack();
  stack.use(upstream);
  stack.use(cluster);
  const [first, second] = cluster.servers as [ClusterServer, ClusterServer];
  return {
    ...cluster,
    gate,
    upstream,
    clock,
    first,
    second,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The JSON of an address under `/api` of a server. */
export async function readJson<T>(server: Pick<ClusterServer, "httpUrl">, address: string): Promise<T> {
  const response = await fetch(`${server.httpUrl}/api/${address}`);
  return (await response.json()) as T;
}

export const chat = (id: string, data: object = {}) => ({
  type: "chat",
  id,
  data: { message: "Count.", persona_id: "teacher", pacing: { mode: "raw" }, ...data },
});

export const isChunk = (message: ServerMessage) => message.type === "chunk";

/** Asks for an answer in the background, and waits until part of it has arrived. */
export async function askInBackground(server: Pick<ClusterServer, "connect">): Promise<WireClient> {
  const client = await server.connect();
  const data = { input_text: "Count.", options: { background: true }, pacing: { mode: "raw" } };
  client.send({ type: "openai_chat", id: "long", data });
  await client.next(isChunk);
  return client;
}

/** Follows a request from its start, and waits until part of it has arrived. */
export async function followFromStart(server: ClusterServer, requestId: string): Promise<WireClient> {
  const client = await server.connect();
  client.send({ type: "resume", data: { request_id: requestId, after_seq: 0 } });
  await client.next(isChunk);
  return client;
}
