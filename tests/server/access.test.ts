import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { startTroupe } from "../support/start-troupe.ts";

const pageToken = "0123456789abcdef0123456789abcdef";

test("handshakes: which origins, hosts and tokens get in", async () => {
  await using server = await startTroupe({
    ...{ pageToken, allowAnonymous: true },
    allowedOrigins: ["https://app.example"],
  });
  const { port } = new URL(server.httpUrl);
  const attempt = async (headers: Record<string, string>, protocols: string[] = []) => {
    try {
      const client = await server.connect({ headers, protocols });
      client.terminate();
      return 101;
    } catch (error) {
      return Number(/\d{3}/.exec(String(error))?.[0]);
    }
  };
  const rows: readonly (readonly [string, Record<string, string>, string[], number])[] = [
    ["no origin: not a browser", {}, [], 101],
    ["own origin", { origin: `http://127.0.0.1:${port}` }, [], 101],
    ["another loopback origin", { origin: "http://localhost:5173" }, [], 101],
    ["another loopback origin, IPv6", { origin: "http://[::1]:3000" }, [], 101],
    ["configured origin", { origin: "https://app.example" }, [], 101],
    ["configured origin, other scheme", { origin: "http://app.example" }, [], 403],
    ["configured origin, other port", { origin: "https://app.example:8443" }, [], 403],
    ["configured origin as a prefix", { origin: "https://app.example.evil.com" }, [], 403],
    ["loopback as a prefix", { origin: "http://localhost.evil.com" }, [], 403],
    ["a stranger", { origin: "https://evil.com" }, [], 403],
    ["a stranger on the own port", { origin: `http://evil.com:${port}` }, [], 403],
    ["null without a token", { origin: "null" }, [], 403],
    ["null with a wrong token", { origin: "null" }, ["troupe", `troupe.token.${"f".repeat(32)}`], 403],
    ["null with the token", { origin: "null" }, ["troupe", `troupe.token.${pageToken}`], 101],
    [
      "a stranger with the token",
      { origin: "https://evil.com" },
      ["troupe", `troupe.token.${pageToken}`],
      403,
    ],
    ["not an origin", { origin: "localhost" }, [], 403],
    ["a rebound name", { host: `evil.com:${port}` }, [], 421],
    ["a rebound name that is its own origin", { host: "evil.com", origin: "http://evil.com" }, [], 421],
    ["localhost by name", { host: `localhost:${port}` }, [], 101],
    ["a name under localhost", { host: `app.localhost:${port}` }, [], 101],
  ];
  const results: [string, number][] = [];
  for (const [name, headers, protocols] of rows) results.push([name, await attempt(headers, protocols)]);
  assert.deepEqual(
    results,
    rows.map(([name, , , status]) => [name, status]),
  );
});

function get(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { headers }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text) => {
        body += text;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    request.on("error", reject);
  });
}

test("HTTP: health, readiness, personas without their prompts, the page with its policy", async () => {
  await using server = await startTroupe();
  assert.deepEqual(JSON.parse((await get(`${server.httpUrl}/healthz`)).body), { status: "ok" });
  assert.equal((await get(`${server.httpUrl}/readyz`)).status, 200);
  assert.equal((await get(`${server.httpUrl}/`, { host: "evil.com" })).status, 421);
  assert.equal((await get(`${server.httpUrl}/nowhere`)).status, 404);
  assert.equal((await get(`${server.httpUrl}/ws`)).status, 426);

  const { personas } = JSON.parse((await get(`${server.httpUrl}/api/personas`)).body);
  const ids = personas.map(({ id }: { id: string }) => id);
  for (const id of ["tech_enthusiast", "creative_writer", "data_scientist"]) assert.ok(ids.includes(id));
  assert.deepEqual(Object.keys(personas[0]).sort(), ["description", "id", "name"]);

  const page = await get(`${server.httpUrl}/`);
  assert.match(String(page.headers["content-security-policy"]), /default-src 'none'; script-src 'sha256-/);
  const configuration = JSON.parse(/id="troupe-config">(.*?)<\/script>/.exec(page.body)?.[1] ?? "");
  assert.deepEqual(Object.keys(configuration).sort(), [
    "makesSecret",
    "model",
    "needsKey",
    "path",
    "personas",
    "simulated",
  ]);
  assert.match(await server.troupe.renderDiskPage("ws://localhost:8000/ws"), /"token":"[0-9a-f]{32}"/);

  await server.troupe.close({ drainMs: 0 });
  assert.equal((await get(`${server.httpUrl}/readyz`)).status, 503);
});

test("an upgrade for another path is answered if no other listener could", async () => {
  await using server = await startTroupe();
  await assert.rejects(
    import("../support/wire-client.ts").then(({ connect }) => connect(`${server.url}/../other`)),
    /404/,
  );
});

test("a peer that answers no pings is dropped after two of them", async () => {
  const { createTestClock } = await import("../support/test-clock.ts");
  const clock = createTestClock();
  await using server = await startTroupe({ clock });
  const deaf = await server.connect({ autoPong: false });
  const alive = await server.connect();
  for (let count = 0; count < 3; count += 1) {
    await clock.advance(30_001);
    alive.send({ type: "ping" });
    await alive.next((message) => message.type === "pong");
  }
  assert.equal((await deaf.closed).code, 4408);
  while (server.troupe.stats().connections > 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(server.troupe.stats().connections, 1);
});
