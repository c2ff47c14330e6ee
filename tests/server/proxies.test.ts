import assert from "node:assert/strict";
import { test } from "node:test";
import { createTroupe, type TroupeOptions } from "../../src/compose/create-troupe.ts";
import { createAccess } from "../../src/doors/identity/access.ts";
import { createRawClient } from "../doubles/raw-client.ts";
import { handshakeText } from "../support/raw-socket.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const key = "ada-0123456789abcdef";
const apiKeys = [{ owner: "ada", key }];
/** Starts a server in memory, and ends it. */
async function tryStart(options: TroupeOptions): Promise<void> {
  const troupe = await createTroupe({ localProviders: [], store: "memory", ...options });
  await troupe.close();
}

/** The answer to these bytes: its status, and the whole answer as text. */
async function answerTo(httpUrl: string, head: string): Promise<{ status: number; text: string }> {
  using client = await createRawClient(httpUrl);
  await client.send(head);
  const text = head.startsWith("GET /ws") ? String(await client.next()) : await client.rest();
  return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]), text };
}

function headText(target: string, lines: readonly string[], version = "1.1"): string {
  return [`GET ${target} HTTP/${version}`, "Host: 127.0.0.1", "Connection: close", ...lines, "", ""].join(
    "\r\n",
  );
}

test("serving any name but loopback needs keys or separate callers, else the start refuses with one line", async () => {
  const advice =
    "would let others in without keys; set TROUPE_API_KEYS or TROUPE_ADMIN_KEY, or TROUPE_ALLOW_ANONYMOUS=true if that is intended";
  const ways: readonly (readonly [TroupeOptions, string])[] = [
    [{ host: "0.0.0.0" }, "HOST 0.0.0.0"],
    [{ host: "::" }, "HOST ::"],
    [{ host: "192.168.0.7" }, "HOST 192.168.0.7"],
    [{ allowedHosts: ["app.localhost", "chat.example.com"] }, "TROUPE_ALLOWED_HOSTS chat.example.com"],
    [{ allowedHosts: ["192.168.0.7"] }, "TROUPE_ALLOWED_HOSTS 192.168.0.7"],
    [{ allowedHosts: ["fd00::7"] }, "TROUPE_ALLOWED_HOSTS fd00::7"],
    [{ allowedOrigins: ["https://app.example"] }, "TROUPE_ALLOWED_ORIGINS https://app.example"],
    [{ trustedProxies: ["127.0.0.1", "10.0.0.0/8"] }, "TROUPE_TRUSTED_PROXIES 127.0.0.1,10.0.0.0/8"],
  ];
  for (const [options, way] of ways) {
    const message = `${way} ${advice}`;
    await assert.rejects(tryStart(options), { name: "SettingError", message });
    for (const admitted of [{ apiKeys }, { adminKey: key }, { allowAnonymous: true }])
      await tryStart({ ...options, ...admitted });
  }
  const local = {
    host: "127.0.0.1",
    allowedHosts: ["app.localhost", "::1"],
    allowedOrigins: ["http://localhost:5173"],
  };
  await tryStart(local);
});

test("entries that no program can use stop the start, and are named", async () => {
  const rows: readonly (readonly [TroupeOptions, RegExp])[] = [
    [
      { allowedHosts: ["https://chat.example.com"] },
      /^TROUPE_ALLOWED_HOSTS: https:\/\/chat\.example\.com is no host name$/,
    ],
    [{ allowedOrigins: ["chat.example.com"] }, /^TROUPE_ALLOWED_ORIGINS: chat\.example\.com is no origin$/],
    [{ trustedProxies: ["10.0.0.0/99"] }, /^10\.0\.0\.0\/99 is neither an IP address nor a CIDR block/],
  ];
  for (const [options, message] of rows) await assert.rejects(tryStart({ apiKeys, ...options }), { message });
});

test("a key names one owner: one for two owners, or also the administrator's, stops the start", async () => {
  const bobs = { owner: "bob", key };
  const rows: readonly (readonly [TroupeOptions, string])[] = [
    [{ apiKeys: [...apiKeys, bobs] }, "TROUPE_API_KEYS: ada and bob have the same key"],
    [{ apiKeys, adminKey: key }, "TROUPE_ADMIN_KEY is also the key of ada in TROUPE_API_KEYS"],
  ];
  for (const [options, message] of rows)
    await assert.rejects(tryStart(options), { name: "SettingError", message });
  await tryStart({ apiKeys: [...apiKeys, ...apiKeys] });
});

test("while everyone is the same caller, only probes are answered through a proxy", async () => {
  await using server = await startTroupe();
  const signs = [
    "X-Forwarded-For: 203.0.113.7",
    "X-Forwarded-Host: chat.example.com",
    "X-Forwarded-Proto: https",
    "Forwarded: for=203.0.113.7",
    "X-Real-IP: 203.0.113.7",
    "Via: 1.1 proxy",
    "CF-Connecting-IP: 203.0.113.7",
  ];
  for (const sign of signs) {
    for (const target of ["/", "/api/conversations", "/api/personas"]) {
      const { status, text } = await answerTo(server.httpUrl, headText(target, [sign]));
      assert.equal(status, 403, `${sign} ${target}`);
      assert.match(
        text,
        /through a proxy .* set TROUPE_API_KEYS or TROUPE_ADMIN_KEY, or TROUPE_ALLOW_ANONYMOUS=true\./,
      );
    }
    const { status, text } = await answerTo(server.httpUrl, handshakeText([sign]));
    assert.equal(status, 403, sign);
    assert.match(text, /TROUPE_ALLOW_ANONYMOUS=true\.$/);
    assert.equal((await answerTo(server.httpUrl, headText("/healthz", [sign]))).status, 200);
  }
  // nginx speaks so to its upstreams by default.
  assert.equal((await answerTo(server.httpUrl, headText("/api/conversations", [], "1.0"))).status, 403);
  assert.equal((await answerTo(server.httpUrl, headText("/api/conversations", []))).status, 200);
});

test("if callers are told apart, the same requests pass", async () => {
  for (const options of [{ allowAnonymous: true }, { apiKeys }]) {
    await using server = await startTroupe(options);
    const sign = ["X-Forwarded-For: 203.0.113.7", `Authorization: Bearer ${key}`];
    assert.equal((await answerTo(server.httpUrl, headText("/api/personas", sign))).status, 200);
    assert.equal((await answerTo(server.httpUrl, headText("/api/personas", sign, "1.0"))).status, 200);
    assert.equal((await answerTo(server.httpUrl, handshakeText(sign))).status, 101);
  }
});

test("the caller that stands for everyone comes from this machine, even if a program listens elsewhere", () => {
  const options = {
    allowedOrigins: [],
    allowedHosts: [],
    host: "localhost",
    byCookies: false,
    pageToken: "x",
  };
  const refusalOf = (isShared: boolean, remoteAddress: string | undefined) =>
    createAccess({ ...options, isShared }).refuseHead({
      httpVersion: "1.1",
      headers: {},
      headersDistinct: { host: ["localhost"] },
      socket: { remoteAddress },
    })?.code;
  for (const address of ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
    assert.equal(refusalOf(true, address), undefined);
  for (const address of ["203.0.113.7", "fd00::7", "::ffff:10.0.0.1", undefined]) {
    assert.equal(refusalOf(true, address), "forbidden_proxy", address);
    assert.equal(refusalOf(false, address), undefined);
  }
});

test("with its name allowed, the page's own socket opens behind a proxy that ends TLS, with any Host from it", async () => {
  await using server = await startTroupe({
    apiKeys,
    allowedHosts: ["chat.example.com", "other.example:8443"],
  });
  for (const [host, origin, status] of [
    ["chat.example.com", "https://chat.example.com", 101],
    ["chat.example.com:443", "https://chat.example.com", 101],
    ["127.0.0.1:8000", "https://chat.example.com", 101],
    ["127.0.0.1:8000", "https://other.example:8443", 101],
    ["127.0.0.1:8000", "https://chat.example.com:8443", 403],
    ["127.0.0.1:8000", "https://other.example", 403],
    ["127.0.0.1:8000", "https://chat.example.com.evil.example", 403],
  ] as const) {
    const lines = [`Host: ${host}`, `Origin: ${origin}`, `Authorization: Bearer ${key}`];
    assert.equal((await answerTo(server.httpUrl, handshakeText(lines))).status, status, `${host} ${origin}`);
  }
  const page = await fetch(server.httpUrl);
  assert.match(
    page.headers.get("content-security-policy") ?? "",
    /connect-src 'self' [^;]*wss:\/\/chat\.example\.com wss:\/\/other\.example:8443;/,
  );
});

test("visitors behind a trusted proxy are told apart, and headers that they write themselves do not count", async () => {
  await using server = await startTroupe({
    apiKeys,
    trustedProxies: ["127.0.0.0/8"],
    clock: createTestClock(),
  });
  const attempt = async (forwarded: string, shown: string) => {
    const lines = [forwarded, `Authorization: Bearer ${shown}`];
    const overHttp = await answerTo(server.httpUrl, headText("/api/personas", lines));
    const onSocket = await answerTo(server.httpUrl, handshakeText(lines));
    return [overHttp.status, onSocket.status];
  };
  const wrong = "wrong-0123456789abcdef";
  for (let count = 0; count < 10; count += 1) {
    // Each request forges another address, to the left of the one that the proxy has seen.
    const forged = `X-Forwarded-For: 198.51.100.${count}, 203.0.113.7`;
    assert.deepEqual(await attempt(forged, wrong), [401, 401]);
  }
  assert.deepEqual(await attempt("X-Forwarded-For: 203.0.113.7", wrong), [429, 429]);
  assert.deepEqual(await attempt("Forwarded: for=203.0.113.7;proto=https", wrong), [429, 429]);
  assert.deepEqual(await attempt("X-Forwarded-For: 203.0.113.7", key), [200, 101]);
  assert.deepEqual(await attempt("X-Forwarded-For: 203.0.113.8", wrong), [401, 401]);
  assert.deepEqual(await attempt("X-Forwarded-For: 203.0.113.8", key), [200, 101]);
});

test("no header of an untrusted peer changes the address", async () => {
  await using server = await startTroupe({
    apiKeys,
    trustedProxies: ["10.0.0.0/8"],
    clock: createTestClock(),
  });
  const attempt = async (address: string) => {
    const lines = [`X-Forwarded-For: ${address}`, "Authorization: Bearer wrong-0123456789abcdef"];
    return (await answerTo(server.httpUrl, headText("/api/personas", lines))).status;
  };
  const seen: number[] = [];
  for (let count = 0; count < 21; count += 1) seen.push(await attempt(`203.0.113.${count}`));
  assert.deepEqual(seen, [...Array<number>(20).fill(401), 429]);
});
