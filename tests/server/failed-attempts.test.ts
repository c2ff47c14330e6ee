import assert from "node:assert/strict";
import http, { type IncomingMessage } from "node:http";
import { test } from "node:test";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const key = "ada-0123456789abcdef";
const apiKeys = [{ owner: "ada", key }];

interface Attempt {
  readonly key?: string;
  readonly from?: string;
  readonly upgrade?: boolean;
}

/** Sends one request for `/api/personas`, or a handshake. Returns the head of the answer. */
function attempt(httpUrl: string, { key, from, upgrade = false }: Attempt): Promise<IncomingMessage> {
  const handshake = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
  };
  const headers = {
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    ...(upgrade ? handshake : {}),
  };
  return new Promise((resolve, reject) => {
    const path = upgrade ? "/ws" : "/api/personas";
    const options = { headers, agent: false, ...(from === undefined ? {} : { localAddress: from }) };
    const request = http.get(`${httpUrl}${path}`, options);
    request.on("error", reject);
    request.on("response", (response) => resolve(response.resume()));
    request.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response);
    });
  });
}

test("an address that shows too many wrong keys has to wait; a right one is never refused because of them", async () => {
  const clock = createTestClock();
  await using server = await startTroupe({ apiKeys, clock });
  const answer = async (what: Attempt) => {
    const { statusCode, headers } = await attempt(server.httpUrl, what);
    return [statusCode, headers["retry-after"]];
  };
  for (let count = 0; count < 30; count += 1) assert.deepEqual(await answer({}), [401, undefined]);
  for (let count = 0; count < 10; count += 1) {
    assert.deepEqual(await answer({ key }), [200, undefined]);
    assert.deepEqual(await answer({ key: `wrong-${count}-0123456789` }), [401, undefined]);
    assert.deepEqual(await answer({ key: `wrong-${count}-0123456789`, upgrade: true }), [401, undefined]);
  }
  for (const upgrade of [false, true]) {
    assert.deepEqual(await answer({ key: "wrong-0123456789abcdef", upgrade }), [429, "59"]);
    assert.deepEqual(await answer({ key, upgrade }), [upgrade ? 101 : 200, undefined]);
    // A correct key does not reset the count.
    assert.deepEqual(await answer({ key: "wrong-0123456789abcdef", upgrade }), [429, "59"]);
  }
  // macOS has only one address to connect from.
  if (process.platform !== "darwin") {
    const wrong = { key: "wrong-0123456789abcdef", from: "127.0.0.2" };
    assert.deepEqual(await answer(wrong), [401, undefined]);
    assert.deepEqual(await answer({ ...wrong, upgrade: true }), [401, undefined]);
  }
  await clock.advance(59_000);
  assert.deepEqual(await answer({ key: "wrong-0123456789abcdef" }), [401, undefined]);
});

test("a key opens only a limited number of sockets, however fast it asks", async () => {
  const apiKeys = [
    { owner: "ada", key },
    { owner: "ada", key: `${key}-other` },
  ];
  await using server = await startTroupe({ apiKeys, maxConnectionsPerKey: 2 });
  const open = (key: string) => server.connect({ headers: { authorization: `Bearer ${key}` } });
  const opened = await Promise.allSettled(Array.from({ length: 8 }, () => open(key)));
  const refused = opened.filter((result) => result.status === "rejected");
  assert.equal(refused.length, 6);
  for (const { reason } of refused) assert.match(String(reason), /429/);
  await open(`${key}-other`);
  const [client] = opened.filter((result) => result.status === "fulfilled");
  client?.value.close();
  await client?.value.closed;
  while (server.troupe.stats().connections > 2) await new Promise((resolve) => setImmediate(resolve));
  await open(key);
});
