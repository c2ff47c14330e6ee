import assert from "node:assert/strict";
import { test } from "node:test";
import { startTroupe } from "../support/start-troupe.ts";
import { countingDemo } from "./python/counting-demo.ts";
import { startCuttingProxy } from "./python/cutting-proxy.ts";
import { clientFile, runClient, startPythonIn, withPython } from "./python/python-client.ts";

const key = "ada-0123456789abcdef";
const apiKeys = [{ owner: "ada", key }];

test("a key is taken from --key or TROUPE_KEY, and a refusal is a sentence", withPython, async () => {
  await using server = await startTroupe({ ...countingDemo(), apiKeys });
  const ask = (env: Record<string, string>, ...more: string[]) =>
    startPythonIn(env, clientFile, "--url", server.url, "chat", "Hello", ...more).ended;
  for (const { code, stderr } of [await ask({}, "--key", key), await ask({ TROUPE_KEY: key })])
    assert.equal(code, 0, stderr);
  const rows = [
    [await ask({}), /^ws:\S+ needs a key: give one by --key or TROUPE_KEY\.\n$/],
    [await ask({ TROUPE_KEY: "wrong-0123456789abcdef" }), /^ws:\S+ does not accept this key\.\n$/],
  ] as const;
  for (const [{ code, stderr }, words] of rows) {
    assert.match(stderr, words);
    assert.equal(code, 4);
  }
  // Callers without keys all look alike here, so the server refuses clients from behind a proxy.
  await using shared = await startTroupe(countingDemo());
  using proxy = await startCuttingProxy(shared.url, [], { header: "X-Forwarded-For: 203.0.113.7" });
  const proxied = await runClient(proxy.url, "chat", "Hello");
  assert.match(proxied.stderr, /^ws:\S+ lets nobody in this way; its log says why\.\n$/);
  assert.equal(proxied.code, 4);
});

test("a key that is no longer accepted after a drop ends the attempts at once", withPython, async () => {
  await using server = await startTroupe({ ...countingDemo(), apiKeys });
  await using another = await startTroupe({ apiKeys: [{ owner: "bob", key: "bob-0123456789abcdef" }] });
  using proxy = await startCuttingProxy(server.url, [700], { laterUrl: another.url });
  const { code, stderr } = await runClient(proxy.url, "chat", "Hello", "--key", key);
  assert.deepEqual(stderr.match(/connection lost/g)?.length, 1, stderr);
  assert.match(stderr, /does not accept this key/);
  assert.equal(code, 4);
});
