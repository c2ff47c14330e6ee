import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { answer } from "../doubles/answer.ts";
import { createRawClient } from "../doubles/raw-client.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { type ClusterServer, startCluster } from "../support/start-cluster.ts";
import { createTestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";
import { connect, isTerminal, type WireClient } from "../support/wire-client.ts";

const keys = ["ada-0123456789abcdef", "ada-fedcba9876543210", "bob-0123456789abcdef"] as const;
const [ada, adaToo, bob] = keys;
const apiKeys = [
  { owner: "ada", key: ada },
  { owner: "ada", key: adaToo },
  { owner: "bob", key: bob },
];
const limit = 3;

interface Row {
  readonly options: TroupeOptions;
  /** Callers that share the limit, and one that does not, if there is one. */
  readonly sharing: readonly string[];
  readonly other?: string;
}

/** Each limit that several processes share, with the callers that share it. */
const socketLimits: Readonly<Record<string, Row & { readonly status: number }>> = {
  "one key": {
    options: { apiKeys, maxConnectionsPerKey: limit },
    sharing: [ada],
    other: adaToo,
    status: 429,
  },
  "one address": {
    options: { allowAnonymous: true, maxConnectionsPerAddress: limit },
    sharing: [ada, bob],
    status: 429,
  },
  "all without a key": {
    options: { allowAnonymous: true, maxAnonymousConnections: limit },
    sharing: [ada, adaToo, bob],
    status: 429,
  },
  "the server as a whole": { options: { apiKeys, maxConnections: limit }, sharing: [ada, bob], status: 503 },
};
const requestLimits: Readonly<Record<string, Row & { readonly code: string }>> = {
  "one key": {
    options: { apiKeys, maxRequestsPerKey: limit },
    sharing: [ada],
    other: adaToo,
    code: "too_many_requests",
  },
  "one address": {
    options: { allowAnonymous: true, maxRequestsPerAddress: limit },
    sharing: [ada, bob],
    code: "too_many_requests",
  },
  "all without a key": {
    options: { allowAnonymous: true, maxAnonymousRequests: limit },
    sharing: [ada, bob],
    code: "too_many_requests",
  },
};

const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });

/** Three servers on the same stores, with a provider that waits for its gate. */
async function start(options: TroupeOptions) {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble({ keepAlive: false }));
  const gate = createGate();
  const script = streamScript(answer({ deltas: ["One ", "two."] }));
  upstream.respond([...script.slice(0, 6), { waitFor: gate.opened }, ...script.slice(6)]);
  const settings = { openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, ...options };
  const cluster = stack.use(
    await startCluster(
      3,
      { ...settings, clock: createTestClock({ instantMs: 1_000 }) },
      { ...(options.maxRequestsPerKey === undefined ? {} : { maxPerKey: options.maxRequestsPerKey }) },
    ),
  );
  const open = new Set<WireClient>();
  return {
    ...{ gate, cluster, servers: cluster.servers },
    /** A socket, or the status with which it was refused. */
    async knock(server: ClusterServer | undefined, key: string): Promise<WireClient | number> {
      try {
        const client = await connect(server?.url ?? "", bearer(key));
        open.add(client);
        return client;
      } catch (refused) {
        return Number(/\d{3}/.exec(String(refused))?.[0]);
      }
    },
    async [Symbol.asyncDispose]() {
      gate.open();
      for (const client of open) client.terminate();
      await stack.disposeAsync();
    },
  };
}

describe("sockets are counted over all processes", () => {
  for (const [name, { options, sharing, other, status }] of Object.entries(socketLimits)) {
    it(`of ${name}: a burst at all of them gets as many as one process would give`, async () => {
      await using at = await start(options);
      const knocks = Array.from({ length: 12 }, (_, index) =>
        at.knock(at.servers[index % 3], sharing[index % sharing.length] ?? ""),
      );
      const answers = await Promise.all(knocks);
      const admitted = answers.filter((one) => typeof one !== "number");
      assert.equal(admitted.length, limit);
      assert.ok(
        answers.every((one) => typeof one !== "number" || one === status),
        String(answers),
      );
      if (other !== undefined) assert.notEqual(typeof (await at.knock(at.servers[0], other)), "number");
      // A plain HTTP request gets the same answer.
      const [caller = ""] = sharing;
      const address = at.servers[1]?.url.replace("ws:", "http:") ?? "";
      assert.equal((await fetch(address, bearer(caller))).status, status);
    });

    it(`of ${name}: one that ends, and a process that dies, give their places back`, async () => {
      await using at = await start(options);
      const [first, second, third] = at.servers;
      const [caller = ""] = sharing;
      const held = [
        await at.knock(first, caller),
        await at.knock(first, caller),
        await at.knock(second, caller),
      ];
      assert.ok(held.every((one) => typeof one !== "number"));
      assert.equal(await at.knock(third, caller), status);
      const last = held[2];
      if (typeof last === "object") last.terminate();
      let again: WireClient | number = status;
      await until(() => second?.troupe.stats().connections === 0);
      while (again === status) again = await at.knock(third, caller);
      assert.equal(typeof again, "object");
      assert.equal(await at.knock(second, caller), status);
      first?.die();
      for (const server of [second, third]) {
        let place: WireClient | number = status;
        while (place === status) place = await at.knock(server, caller);
        assert.equal(typeof place, "object");
      }
      assert.equal(await at.knock(second, caller), status);
    });
  }

  it("a handshake that comes to nothing holds no place", async () => {
    await using at = await start({ apiKeys, maxConnectionsPerKey: 1 });
    const [first, second] = at.servers;
    const head = [
      "GET /ws HTTP/1.1",
      "Host: localhost",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: too short",
      `Authorization: Bearer ${ada}`,
    ];
    for (let round = 0; round < 3; round += 1) {
      using socket = await createRawClient(first?.httpUrl ?? "");
      await socket.send(`${head.join("\r\n")}\r\n\r\n`);
      assert.match(await socket.rest(), /^HTTP\/1\.1 400 /);
    }
    assert.equal(typeof (await at.knock(second, ada)), "object");
  });
});

describe("running requests are counted over all processes", () => {
  for (const [name, { options, sharing, other, code }] of Object.entries(requestLimits))
    it(`of ${name}: a burst at all of them starts as many as one would, and each end makes room`, async () => {
      await using at = await start(options);
      const clients = await Promise.all(
        at.servers.map((server, index) => at.knock(server, sharing[index % sharing.length] ?? "")),
      );
      const ends: string[] = [];
      let running = 0;
      const ask = async (client: WireClient, id: string) => {
        const data = { input_text: "Hi", pacing: { mode: "raw" } };
        client.send({ type: "openai_chat", id, data });
        const first = await client.next(
          (message) =>
            (message.type === "error" && message.in_reply_to?.id === id) ||
            ("request_id" in message && message.request_id === id && message.type === "status"),
        );
        if (first.type === "error") {
          ends.push(first.code);
          assert.ok(first.retryable && (first.retry_after_ms ?? 0) > 0);
        } else running += 1;
      };
      const of = (index: number): WireClient => {
        const client = clients[index % clients.length];
        assert.ok(typeof client === "object");
        return client;
      };
      for (let round = 0; round < 3; round += 1)
        await Promise.all(clients.map((_, index) => ask(of(index), `r-${round}-${index}`)));
      assert.deepEqual([running, new Set(ends)], [limit, new Set([code])]);
      if (other !== undefined) {
        const free = await at.knock(at.servers[2], other);
        assert.ok(typeof free === "object");
        await ask(free, "other");
        assert.equal(running, limit + 1);
      }
      at.gate.open();
      await until(
        () =>
          clients.flatMap((client) => (typeof client === "object" ? client.received : [])).filter(isTerminal)
            .length === limit,
      );
      running = 0;
      await Promise.all(clients.map((_, index) => ask(of(index), `again-${index}`)));
      assert.equal(running, limit);
    });
});
