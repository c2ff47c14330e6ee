import assert from "node:assert/strict";
import { test } from "node:test";
import { findCycles, findForbiddenImports } from "../../scripts/import-direction.ts";

const selfReferences = new Map([
  ["troupe", "src/index.ts"],
  ["troupe/client", "src/client/index.ts"],
]);

function forbidden(path: string, text: string): string[] {
  return findForbiddenImports([{ path, text }], selfReferences);
}

const allowed: [importer: string, statement: string][] = [
  ["src/protocol/decode.ts", 'import { z } from "zod";'],
  ["src/ports/stored-shapes.ts", 'import { z } from "zod";'],
  ["src/ports/provider.ts", 'import type { TroupeError } from "../protocol/errors.ts";'],
  ["src/chat/pacing/pace.ts", 'import { limits } from "../protocol/limits.ts";'],
  ["src/server/turn.ts", 'import { lane } from "../chat/lane.ts";'],
  ["src/doors/websocket/encode.ts", 'import type { Lane } from "../../chat/lane.ts";'],
  ["src/doors/websocket/door.ts", 'import { callers } from "../identity/callers.ts";'],
  ["src/doors/http/routes.ts", 'import { callers } from "../identity/callers.ts";'],
  ["src/doors/http/routes.ts", 'import { turns } from "../../server/turns.ts"; import { Hono } from "hono";'],
  ["src/doors/http/listener.ts", 'import { getRequestListener } from "@hono/node-server";'],
  ["src/doors/identity/callers.ts", 'import { createHash } from "node:crypto"; import { z } from "zod";'],
  ["src/adapters/memory/turn-log.ts", 'import { entry } from "./entry.ts";'],
  ["src/adapters/sqlite/durable-log.ts", 'import { log } from "../turn-log/memory-turn-log.ts";'],
  ["src/adapters/demo/voice.ts", 'import { personas } from "../builtin-personas/personas.ts";'],
  ["src/adapters/sqlite/log.ts", 'import { DatabaseSync } from "node:sqlite";'],
  ["src/client/connection.ts", 'import type { Frame } from "../protocol/frames.ts";'],
  [
    "src/react/use-chat.tsx",
    'import { useState } from "react"; import { connect } from "../client/index.ts";',
  ],
  ["src/page/main.ts", 'import { connect } from "troupe/client";'],
  ["src/compose/wiring.ts", 'import { turn } from "../server/turn.ts"; import pino from "pino";'],
  ["src/index.ts", 'import { wire } from "./compose/wiring.ts";'],
  ["src/cli.ts", 'import manifest from "../package.json" with { type: "json" };'],
  ["tests/server/turn.test.ts", 'import { turn } from "../../src/server/turn.ts";'],
];

for (const [importer, statement] of allowed) {
  test(`${importer} may: ${statement}`, () => assert.deepEqual(forbidden(importer, statement), []));
}

const refused: [importer: string, statement: string, reason: RegExp][] = [
  [
    "src/protocol/decode.ts",
    'import { x } from "../ports/clock.ts";',
    /protocol may not import src\/ports\/clock\.ts/,
  ],
  ["src/ports/clock.ts", 'import type { X } from "../chat/lane.ts";', /ports may not import/],
  ["src/chat/lane.ts", 'import { x } from "../server/turn.ts";', /chat may not import/],
  ["src/chat/lane.ts", 'import { z } from "zod";', /may not use the package zod/],
  ["src/server/turn.ts", 'import { x } from "../adapters/memory/turn-log.ts";', /server may not import/],
  ["src/server/turn.ts", 'import { x } from "../doors/websocket/door.ts";', /server may not import/],
  ["src/server/turn.ts", 'import { randomUUID } from "node:crypto";', /may not use Node's node:crypto/],
  ["src/server/turn.ts", 'import x from "@hono/node-server/conninfo";', /package @hono\/node-server/],
  ["src/doors/websocket/door.ts", 'import { lane } from "../../chat/lane.ts";', /types only/],
  ["src/doors/websocket/door.ts", 'import { WebSocketServer } from "ws";', /may not use the package ws/],
  ["src/doors/websocket/door.ts", 'import { x } from "../http/page.ts";', /one door does not know another/],
  ["src/doors/identity/callers.ts", 'import { x } from "../http/page.ts";', /one door does not know another/],
  ["src/doors/identity/callers.ts", 'import { Hono } from "hono";', /which only src\/doors\/http\/ uses/],
  ["src/doors/http/page.ts", 'import { x } from "../../adapters/ws/door.ts";', /doors may not import/],
  ["src/doors/http/page.ts", 'import type { X } from "../../compose/settings.ts";', /doors may not import/],
  [
    "src/adapters/ws/door.ts",
    'import type { X } from "../../doors/http/page.ts";',
    /adapters may not import/,
  ],
  ["src/adapters/ws/door.ts", 'import { x } from "@hono/node-server";', /which only src\/doors\/http\/ uses/],
  ["src/compose/wiring.ts", 'import { cors } from "hono/cors";', /which only src\/doors\/http\/ uses/],
  [
    "src/adapters/memory/log.ts",
    'import { x } from "../sqlite/log.ts";',
    /one adapter does not know another/,
  ],
  [
    "src/adapters/upstream/event-reader.ts",
    'import type { X } from "../openai/responses-machine.ts";',
    /one adapter does not know another/,
  ],
  [
    "src/adapters/cluster/worker/log.ts",
    'import { x } from "../../sqlite/log.ts";',
    /one adapter does not know another/,
  ],
  [
    "src/adapters/memory/log.ts",
    'import { x } from "../demo/voice.ts";',
    /one adapter does not know another/,
  ],
  ["src/client/connection.ts", 'import { x } from "../ports/clock.ts";', /client may not import/],
  ["src/client/connection.ts", 'import fs from "node:fs";', /may not use Node's node:fs/],
  ["src/react/use-chat.tsx", 'import { x } from "../protocol/limits.ts";', /react may not import/],
  ["src/page/main.ts", 'import { createTroupe } from "troupe";', /page may not import src\/index\.ts/],
  ["src/server/turn.ts", 'import { x } from "../compose/wiring.ts";', /server may not import/],
  ["src/index.ts", 'import { x } from "../tests/doubles/clock.ts";', /outside src/],
  ["src/utils/text.ts", "", /src\/utils is not a layer/],
];

for (const [importer, statement, reason] of refused) {
  test(`${importer} may not: ${statement}`, () => {
    const findings = forbidden(importer, statement);
    assert.equal(findings.length, 1);
    assert.match(findings[0] ?? "", reason);
  });
}

test("a finding names the file and the line", () => {
  const [finding] = forbidden("src/chat/lane.ts", '\n\nimport fs from "node:fs";');
  assert.match(finding ?? "", /^src\/chat\/lane\.ts:3: /);
});

test("a ring of files is found once, with its path; files that merely share an import are no ring", () => {
  const files = [
    { path: "src/chat/a.ts", text: 'import "./b.ts"; import "./d.ts";' },
    { path: "src/chat/b.ts", text: 'import type { C } from "./c.ts"; import "./d.ts";' },
    { path: "src/chat/c.ts", text: 'import "./a.ts";' },
    { path: "src/chat/d.ts", text: 'import "zod";' },
  ];
  assert.deepEqual(findCycles(files, selfReferences), [
    ["src/chat/a.ts", "src/chat/b.ts", "src/chat/c.ts", "src/chat/a.ts"],
  ]);
});

test("a ring through the package's own name, and a file that imports itself, are found", () => {
  const files = [
    { path: "src/client/index.ts", text: 'export * from "./connection.ts";' },
    { path: "src/client/connection.ts", text: 'import { x } from "troupe/client";' },
    { path: "tests/self.ts", text: 'import "./self.ts";' },
  ];
  assert.deepEqual(findCycles(files, selfReferences), [
    ["src/client/index.ts", "src/client/connection.ts", "src/client/index.ts"],
    ["tests/self.ts", "tests/self.ts"],
  ]);
});
