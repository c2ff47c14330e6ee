import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "../../src/compose/log-observer.ts";
import { createRawClient } from "../doubles/raw-client.ts";
import { handshakeText } from "../support/raw-socket.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const key = "ada-0123456789abcdef";
const apiKeys = [{ owner: "ada", key }];

interface Line {
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** Collects the lines of level `info`. */
function createInfoLog() {
  const lines: Line[] = [];
  const nothing = () => undefined;
  const logger: Logger = {
    ...{ debug: nothing, warn: nothing, error: nothing },
    info: (fields, message) => lines.push({ fields: { ...fields }, message }),
  };
  return { lines, logger };
}

async function answerTo(httpUrl: string, head: string): Promise<string> {
  using client = await createRawClient(httpUrl);
  await client.send(head);
  return await client.rest();
}

const headText = (target: string, lines: readonly string[]) =>
  [`GET ${target} HTTP/1.1`, "Connection: close", ...lines, "", ""].join("\r\n");

test("every refusal names its reason and the setting that allows it in a sentence, in its body and in the log", async () => {
  const { lines, logger } = createInfoLog();
  const clock = createTestClock();
  await using server = await startTroupe({
    ...{ apiKeys, clock, logger, maxConnectionsPerKey: 1, maxConnections: 2 },
  });
  const right = `Authorization: Bearer ${key}`;
  const rows: readonly (readonly [string, readonly string[], number, string | undefined, RegExp])[] = [
    ["/api/personas", ["Host: evil.example"], 421, "unserved_host", /TROUPE_ALLOWED_HOSTS/],
    ["/", ["Host: evil.example"], 421, undefined, /TROUPE_ALLOWED_HOSTS/],
    ["/ws", ["Host: evil.example", right], 421, undefined, /TROUPE_ALLOWED_HOSTS/],
    ["/ws", ["Origin: https://evil.example", right], 403, undefined, /TROUPE_ALLOWED_ORIGINS/],
    ["/ws", ["Origin: null"], 403, undefined, /origin null needs a key, or the token/],
    ["/api/personas", ["Host: localhost"], 401, "unauthenticated", /TROUPE_API_KEYS .* TROUPE_ADMIN_KEY/],
    ["/ws", [], 401, undefined, /TROUPE_API_KEYS .* TROUPE_ADMIN_KEY/],
    ["/ws?ticket=secret-ticket", [], 401, undefined, /POST \/api\/tickets/],
    ["/api/personas", [], 400, "bad_host", /Host/],
  ];
  const check = async (
    target: string,
    given: readonly string[],
    status: number,
    code: string | undefined,
    words: RegExp,
  ) => {
    await clock.advance(60_000);
    lines.length = 0;
    const isHandshake = target.startsWith("/ws");
    const head = isHandshake ? handshakeText(given, `GET ${target} HTTP/1.1`) : headText(target, given);
    const answer = await answerTo(server.httpUrl, head);
    const [top = "", body = ""] = answer.split("\r\n\r\n");
    assert.match(top, new RegExp(`^HTTP/1\\.1 ${status} `), target);
    const message = code === undefined ? body : String(JSON.parse(body).message);
    if (code !== undefined) assert.equal(JSON.parse(body).code, code);
    assert.match(message, words);
    assert.match(message, /^[A-Z].*\.$/);
    assert.deepEqual(
      lines.map(({ fields, message: told }) => [fields.status, told]),
      [[status, `a request was refused: ${message}`]],
    );
    assert.doesNotMatch(JSON.stringify(lines) + answer, /secret-ticket|0123456789abcdef/);
  };
  for (const row of rows) await check(...row);

  const first = await server.connect({ headers: { authorization: `Bearer ${key}` } });
  await check("/ws", [right], 429, undefined, /TROUPE_MAX_CONNECTIONS_PER_KEY/);
  first.terminate();
  for (let count = 0; count < 20; count += 1)
    await answerTo(
      server.httpUrl,
      headText("/api/personas", ["Host: localhost", `Authorization: Bearer x${count}`]),
    );
  lines.length = 0;
  const waits = await answerTo(
    server.httpUrl,
    headText("/api/personas", ["Host: localhost", "Authorization: Bearer x"]),
  );
  assert.match(
    waits,
    /^HTTP\/1\.1 429 [\s\S]*retry-after: \d+[\s\S]*"code":"too_many_attempts".*TROUPE_TRUSTED_PROXIES/,
  );
  assert.deepEqual(
    lines.map(({ fields }) => fields.status),
    [429],
  );
});

test("a full server and one that stops say so", async () => {
  const { lines, logger } = createInfoLog();
  await using server = await startTroupe({ maxConnections: 1, logger, clock: createTestClock() });
  await server.connect();
  const full = await answerTo(server.httpUrl, handshakeText());
  assert.match(full, /^HTTP\/1\.1 503 [\s\S]*TROUPE_MAX_CONNECTIONS allows\.$/);
  assert.deepEqual(
    lines.map(({ fields }) => fields.status),
    [503],
  );
});

test("an origin and a change that are refused over HTTP are reported as well", async () => {
  const { lines, logger } = createInfoLog();
  await using server = await startTroupe({ logger, clock: createTestClock() });
  const headers = { origin: "https://evil.example" };
  const reply = await fetch(`${server.httpUrl}/api/conversations/x`, { method: "DELETE", headers });
  const body = (await reply.json()) as { code: string; message: string };
  assert.deepEqual([reply.status, body.code], [403, "forbidden_origin"]);
  assert.match(body.message, /TROUPE_ALLOWED_ORIGINS/);
  assert.equal(lines.length, 1);
  assert.deepEqual(
    [lines[0]?.fields.origin, lines[0]?.fields.address],
    ["https://evil.example", "127.0.0.1"],
  );
});

test("a flood of refusals is a line in ten seconds for each kind, with how many were left out and no more text than fits", async () => {
  const { lines, logger } = createInfoLog();
  const clock = createTestClock();
  await using server = await startTroupe({ apiKeys, logger, clock });
  const longName = `${"x".repeat(60)}.${"y".repeat(60)}.example`;
  const ask = async (count: number, given: readonly string[]) => {
    for (let index = 0; index < count; index += 1)
      await answerTo(server.httpUrl, headText("/api/personas", given));
  };
  const foreign = [`Host: ${longName}`, `Origin: https://${longName}/`, "X-Long: y"];
  await ask(30, foreign);
  await ask(3, ["Host: localhost"]);
  assert.deepEqual(
    lines.map(({ fields }) => [fields.status, fields.leftOut]),
    [
      [421, 0],
      [401, 0],
    ],
  );
  assert.deepEqual(
    [String(lines[0]?.fields.host).length, String(lines[0]?.fields.origin).length],
    [100, 100],
  );
  await clock.advance(9_999);
  await ask(1, foreign);
  assert.equal(lines.length, 2);
  await clock.advance(1);
  await ask(1, foreign);
  assert.deepEqual([lines.length, lines[2]?.fields.leftOut], [3, 30]);
  await ask(1, ["Host: localhost", "Origin: no\torigin"]);
  assert.deepEqual([lines.length, lines[3]?.fields.leftOut, lines[3]?.fields.origin], [4, 2, undefined]);
});

test("probes are answered for any name, without Host and over HTTP/1.0, and by no other method", async () => {
  await using server = await startTroupe({ apiKeys });
  for (const target of ["/healthz", "/readyz"]) {
    for (const [version, lines] of [
      ["1.1", ["Host: 10.1.2.3:8080"]],
      ["1.1", ["Host: my_service"]],
      ["1.1", ["Host: evil.example"]],
      ["1.1", ["Host: a b@c"]],
      ["1.1", ["Host: a", "Host: b"]],
      ["1.1", []],
      ["1.0", []],
      ["1.0", ["Host: anything"]],
    ] as const) {
      const head = [`GET ${target}?from=probe HTTP/${version}`, "Connection: close", ...lines, "", ""].join(
        "\r\n",
      );
      const answer = await answerTo(server.httpUrl, head);
      assert.match(
        answer,
        /^HTTP\/1\.1 200 OK[\s\S]*\{"status":"(ok|ready)"\}$/,
        `${target} ${version} ${lines}`,
      );
    }
    const asked = await answerTo(server.httpUrl, `HEAD ${target} HTTP/1.0\r\n\r\n`);
    assert.match(asked, /^HTTP\/1\.1 200 OK[\s\S]*\r\n\r\n$/);
    assert.match(await answerTo(server.httpUrl, `POST ${target} HTTP/1.0\r\n\r\n`), /^HTTP\/1\.1 400 /);
    assert.match(
      await answerTo(server.httpUrl, `POST ${target} HTTP/1.0\r\nHost: localhost\r\n\r\n`),
      /^HTTP\/1\.1 405 [\s\S]*allow: GET, HEAD\r\n/,
    );
  }
  assert.match(await answerTo(server.httpUrl, headText("/", [])), /^HTTP\/1\.1 400 [\s\S]*one Host header/);
  await server.troupe.close({ drainMs: 0 });
  const stopping = await answerTo(server.httpUrl, "GET /readyz HTTP/1.0\r\n\r\n");
  assert.match(stopping, /^HTTP\/1\.1 503 [\s\S]*"reason":"shutting_down"/);
});
