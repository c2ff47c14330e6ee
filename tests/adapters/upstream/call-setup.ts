import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { createUpstreamAgents, HttpCall } from "../../../src/adapters/upstream/upstream-call.ts";
import { createUpstreamDouble } from "../../doubles/upstream-double.ts";
import { createFastReads } from "../../support/fast-reads.ts";

export const post = {
  method: "POST",
  body: '{"a":1}',
  headers: { authorization: "Bearer secret", "x-a": "1" },
};

/** The call with a double as its upstream. */
export async function setUp(keepAlive = true) {
  const double = await createUpstreamDouble({ keepAlive });
  const agents = createUpstreamAgents({}, createFastReads());
  return {
    double,
    agents,
    url: `${double.baseUrl}/responses`,
    call: () => new HttpCall(agents),
    /** Connections that wait for the next call. */
    idleConnections: () => Object.values(agents.http.freeSockets).flat().length,
    async [Symbol.asyncDispose]() {
      agents[Symbol.dispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

export async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Waits enough turns of the event loop for bytes sent on this machine to arrive. */
export const passLoopTurns = async () => {
  for (let turn = 0; turn < 50; turn += 1) await nextLoopTurn();
};
