import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { createTroupe, type TroupeOptions } from "../../src/compose/create-troupe.ts";
import { createRawClient } from "../doubles/raw-client.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const key = "ada-0123456789abcdef";
const pageToken = "0123456789abcdef0123456789abcdef";
const allowed = { allowedOrigins: ["https://app.example"], allowedHosts: ["chat.example.com"] };

/** The login of an application. */
function byCookie({ headers }: IncomingMessage) {
  return headers.cookie === "user=ada" ? { owner: "ada" } : undefined;
}

interface Admission {
  readonly options: TroupeOptions;
  /** A header that every request of the column has. */
  readonly shown?: string;
}

/** Ways to be admitted. Each is one column. */
const admissions = {
  keys: {
    options: { ...allowed, apiKeys: [{ owner: "ada", key }] },
    shown: `Authorization: Bearer ${key}`,
  },
  "keys without one": { options: { ...allowed, apiKeys: [{ owner: "ada", key }] } },
  separate: { options: { ...allowed, allowAnonymous: true }, shown: `Authorization: Bearer ${key}` },
  shared: { options: {} },
  authenticate: { options: { ...allowed, authenticate: byCookie }, shown: "Cookie: user=ada" },
  "authenticate without a login": {
    options: { ...allowed, authenticate: byCookie },
    shown: `Authorization: Bearer ${key}`,
  },
} as const satisfies Record<string, Admission>;
type AdmissionName = keyof typeof admissions;

const places = { loopback: "localhost", "a public address": "0.0.0.0" } as const;
type Place = keyof typeof places;

const hosts = ["loopback", "allowed", "of an allowed origin", "IP", "foreign", "missing", "doubled"] as const;
type Host = (typeof hosts)[number];

const origins = [
  "none",
  "own",
  "loopback",
  "allowed",
  "https of an allowed host",
  "http of an allowed host",
  "foreign",
  "null",
  "null with the token",
  "malformed",
] as const;
type Origin = (typeof origins)[number];

/** The request line of each action, and its status if nothing refuses it. */
const actions = {
  handshake: ["GET /ws", 101],
  GET: ["GET /api/personas", 200],
  POST: ["POST /api/tickets", 201],
  PATCH: ["PATCH /api/conversations/never-was", 404],
  DELETE: ["DELETE /api/conversations/never-was", 404],
} as const;
type Action = keyof typeof actions;

interface Cell {
  readonly host: Host;
  readonly origin: Origin;
  readonly action: Action;
}

/** The status that PROTOCOL.md demands for a request. */
function expectedStatus(place: Place, admission: AdmissionName, { host, origin, action }: Cell): number {
  const isConfigured = admission !== "shared";
  const byCookies = admission === "authenticate" || admission === "authenticate without a login";
  const isServed = {
    loopback: true,
    allowed: isConfigured,
    "of an allowed origin": isConfigured,
    IP: place === "a public address",
    foreign: false,
  };
  if (host === "missing" || host === "doubled") return 400;
  if (!isServed[host]) return 421;
  const mayUse = {
    none: true,
    own: true,
    loopback: place === "loopback" && !byCookies,
    allowed: isConfigured,
    "https of an allowed host": isConfigured,
    // Such a page was not served over TLS. It is the server's own only if the request names the same host.
    "http of an allowed host": host === "allowed",
    foreign: false,
    null: admission === "keys",
    "null with the token": admission === "keys" || (action === "handshake" && !byCookies),
    malformed: false,
  };
  const isAdmitted = admission !== "keys without one" && admission !== "authenticate without a login";
  if (action !== "handshake" && !isAdmitted) return 401;
  if (action !== "GET" && !mayUse[origin]) return 403;
  // An application's users have no tickets.
  if (isAdmitted && byCookies && action === "POST") return 404;
  return isAdmitted ? actions[action][1] : 401;
}

function headOf({ host, origin, action }: Cell, port: string, shown: string | undefined): string {
  const names: Record<Host, readonly string[]> = {
    loopback: [`127.0.0.1:${port}`],
    allowed: ["chat.example.com"],
    "of an allowed origin": ["app.example"],
    IP: ["203.0.113.7"],
    foreign: ["evil.example"],
    missing: [],
    doubled: [`127.0.0.1:${port}`, "evil.example"],
  };
  const values: Record<Origin, string | undefined> = {
    none: undefined,
    own: `http://${names[host][0] ?? "127.0.0.1"}`,
    loopback: "http://localhost:5173",
    allowed: "https://app.example",
    "https of an allowed host": "https://chat.example.com",
    "http of an allowed host": "http://chat.example.com",
    foreign: "https://evil.example",
    null: "null",
    "null with the token": "null",
    malformed: "chat.example.com",
  };
  const body = action === "PATCH" ? '{"title":"New"}' : "";
  const ofHandshake = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ];
  const lines = [
    `${actions[action][0]} HTTP/1.1`,
    ...names[host].map((name) => `Host: ${name}`),
    ...(values[origin] === undefined ? [] : [`Origin: ${values[origin]}`]),
    ...(shown === undefined ? [] : [shown]),
    ...(origin === "null with the token"
      ? [`Sec-WebSocket-Protocol: troupe, troupe.token.${pageToken}`]
      : []),
    ...(action === "handshake" ? ofHandshake : ["Connection: close", `Content-Length: ${body.length}`]),
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

async function statusOf(httpUrl: string, head: string): Promise<number> {
  using client = await createRawClient(httpUrl);
  await client.send(head);
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(String(await client.next()))?.[1]);
}

const cells = hosts.flatMap((host) =>
  origins.flatMap((origin) =>
    (Object.keys(actions) as Action[]).map((action): Cell => ({ host, origin, action })),
  ),
);

for (const place of Object.keys(places) as Place[]) {
  for (const admission of Object.keys(admissions) as AdmissionName[]) {
    const { options, shown }: Admission = admissions[admission];
    const settings = { ...options, host: places[place], pageToken };
    if (place === "a public address" && admission === "shared") {
      test("a public address is never shared", async () => {
        const started = createTroupe({ localProviders: [], store: "memory", ...settings });
        await assert.rejects(started, {
          name: "SettingError",
          message: /^HOST 0\.0\.0\.0 would let others in/,
        });
      });
      continue;
    }
    test(`${admission} on ${place}: every host, origin and action`, async (t) => {
      await using server = await startTroupe({ ...settings, clock: createTestClock() });
      const { port } = new URL(server.httpUrl);
      const wrong: string[] = [];
      for (const cell of cells) {
        const got = await statusOf(server.httpUrl, headOf(cell, port, shown));
        const wanted = expectedStatus(place, admission, cell);
        if (got !== wanted)
          wrong.push(`${cell.action}, host ${cell.host}, origin ${cell.origin}: ${got}, not ${wanted}`);
      }
      assert.deepEqual(wrong, []);
      t.diagnostic(`${cells.length} cells`);
    });
  }
}
