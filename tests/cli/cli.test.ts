import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { openBeside } from "../support/open-beside.ts";
import { connect } from "../support/wire-client.ts";
import { bin, startCli } from "./start-cli.ts";

test("V8's young generation has a bound, and on one core V8 has no helpers, unless the user sets them", {
  skip: process.platform === "win32" && "Windows cannot start a process over",
}, async () => {
  // Starts the process, with `cores` cores, and returns the options of each of its starts.
  const begins = async (flags: readonly string[], { env = {}, cores = 2 } = {}) => {
    const told = `data:text/javascript,import os from "node:os"; os.availableParallelism = () => ${cores};
      console.log(JSON.stringify([process.pid, ...process.execArgv.slice(2)]))`;
    const child = spawn(process.execPath, ["--import", told, ...flags, bin, "--nonsense"], { env });
    const [lines] = await Promise.all([text(child.stdout), once(child, "close")]);
    assert.equal(child.exitCode, 1);
    return lines
      .trim()
      .split("\n")
      .map((line) => {
        const [pid, ...options] = JSON.parse(line) as [number, ...string[]];
        assert.equal(pid, child.pid);
        return options;
      });
  };
  assert.deepEqual(await begins(["--no-warnings"]), [
    ["--no-warnings"],
    ["--no-warnings", "--max-semi-space-size=8"],
  ]);
  assert.deepEqual(await begins([], { cores: 1 }), [
    [],
    ["--max-semi-space-size=8", "--single-threaded-gc", "--heap-growing-percent=150"],
  ]);
  assert.deepEqual(await begins(["--max-semi-space-size=16"], { cores: 1 }), [["--max-semi-space-size=16"]]);
  assert.deepEqual(await begins([], { env: { NODE_OPTIONS: "--max_semi_space_size=32" } }), [[]]);
});

test("a setting that cannot work ends the start with one clear line and status 1", async () => {
  for (const [args, env, line] of [
    [["--port", "99999"], {}, /^troupe: --port: .*65535/],
    [[], { PORT: "abc" }, /^troupe: PORT: /],
    [["--nonsense", "1"], {}, /^troupe: Unknown option '--nonsense'/],
    [[], { TROUPE_PACING: "quick" }, /^troupe: TROUPE_PACING: /],
    [[], { OPENAI_BASE_URL: "ftp://x" }, /^troupe: OPENAI_BASE_URL: /],
    [
      [],
      { TROUPE_DATABASE_URL: "mysql://a:s3cret@b/c" },
      /^troupe: TROUPE_DATABASE_URL: write it as postgres:/,
    ],
    [
      [],
      { TROUPE_DATABASE_URL: "postgres://a:s3cret@127.0.0.1:1/c" },
      /^troupe: the PostgreSQL database cannot be used: .*ECONNREFUSED/,
    ],
    [
      ["--workers", "2"],
      { TROUPE_DATABASE_URL: "postgres://a:s3cret@127.0.0.1:1/c" },
      /^troupe: the PostgreSQL database cannot be used: .*ECONNREFUSED[^\n]*\n$/,
    ],
    [
      ["--workers", "2"],
      { TROUPE_STORE: "memory" },
      /^troupe: TROUPE_WORKERS 2 needs a database, .*TROUPE_STORE=memory has none/,
    ],
    [["--host", "0.0.0.0"], {}, /^troupe: HOST 0\.0\.0\.0 .*TROUPE_ALLOW_ANONYMOUS/],
    [
      [],
      { TROUPE_ALLOWED_HOSTS: "chat.example.com" },
      /^troupe: TROUPE_ALLOWED_HOSTS chat\.example\.com .*TROUPE_ALLOW_ANONYMOUS/,
    ],
    [
      ["--workers", "2"],
      { TROUPE_ALLOWED_HOSTS: "chat.example.com" },
      /^troupe: TROUPE_ALLOWED_HOSTS chat\.example\.com .*TROUPE_ALLOW_ANONYMOUS/,
    ],
    [
      [],
      { TROUPE_ALLOWED_HOSTS: "https://a.example" },
      /^troupe: TROUPE_ALLOWED_HOSTS: https:\/\/a\.example is no host/,
    ],
    [
      [],
      { TROUPE_TRUSTED_PROXIES: "10.0.0.0/8, proxy" },
      /^troupe: TROUPE_TRUSTED_PROXIES: proxy is neither/,
    ],
    [
      [],
      { TROUPE_API_KEYS: "ada=0123456789abcdef,bob=0123456789abcdef" },
      /^troupe: TROUPE_API_KEYS: ada and bob have the same key\n$/,
    ],
    [[], { TROUPE_DATA: "/dev/null/folder" }, /^troupe: /],
  ] as const) {
    await using run = await startCli(args, env);
    assert.equal(await run.ended, 1);
    assert.match(run.errors(), line);
    assert.equal(run.errors().trim().split("\n").length, 1, run.errors());
  }
});

test("a database of a newer version ends the start with one clear line, and stays as it is", async () => {
  const data = await mkdtemp(path.join(tmpdir(), "troupe-cli-"));
  const file = path.join(data, "troupe.db");
  const database = openBeside(file);
  database.exec("PRAGMA user_version = 99");
  database.close();
  await using run = await startCli(["--port", "0"], { TROUPE_DATA: data });
  assert.equal(await run.ended, 1);
  assert.match(run.errors(), /^troupe: .*troupe\.db.* version 99, .*newer Troupe\n$/);
  const unchanged = openBeside(file, { readOnly: true });
  assert.equal(unchanged.prepare("PRAGMA user_version").get()?.user_version, 99);
  assert.deepEqual(unchanged.prepare("SELECT name FROM sqlite_schema").all(), []);
  unchanged.close();
  await rm(data, { recursive: true });
});

test("it listens on both loopback addresses, prints them, and stops on SIGTERM with status 0", async () => {
  await using run = await startCli(["--port", "0"]);
  const port = await run.listening();
  for (const host of ["127.0.0.1", "localhost"]) {
    const client = await connect(`ws://${host}:${port}/ws`);
    client.send({ type: "ping", id: host });
    assert.deepEqual(await client.next(), { type: "pong", id: host });
  }
  assert.match(run.output(), /every answer is a scripted demonstration \(set OPENAI_API_KEY\)/);
  const diskPage = path.join(run.data, "websocket_test.html");
  assert.match(run.output(), new RegExp(diskPage));
  assert.match(await readFile(diskPage, "utf8"), /"token":"[0-9a-f]{32}"/);
  assert.equal((await stat(diskPage)).mode & 0o077, 0);
  run.child.kill("SIGTERM");
  assert.equal(await run.ended, 0);
});

test("a port in use is one clear line", async () => {
  await using first = await startCli(["--port", "0"]);
  const port = await first.listening();
  await using second = await startCli(["--port", String(port)]);
  assert.equal(await second.ended, 1);
  assert.match(second.errors(), new RegExp(`^troupe: port ${port} is in use`));
});

test("one server at a time has a data folder, and the page's token stays the same from start to start", async () => {
  await using first = await startCli(["--port", "0"]);
  await first.listening();
  const token = await readFile(path.join(first.data, "page-token"), "utf8");
  await using meanwhile = await startCli(["--port", "0", "--data", first.data]);
  assert.equal(await meanwhile.ended, 1);
  assert.match(meanwhile.errors(), /^troupe: .*troupe\.db is in use by another Troupe\n$/);
  first.child.kill("SIGTERM");
  await first.ended;
  await using second = await startCli(["--port", "0", "--data", first.data]);
  await second.listening();
  assert.equal(await readFile(path.join(first.data, "page-token"), "utf8"), token);
});

test("help names every setting", async () => {
  await using run = await startCli(["--help"]);
  assert.equal(await run.ended, 0);
  assert.match(run.output(), /--port VALUE +PORT\n/);
  assert.match(run.output(), /--drain-ms VALUE +TROUPE_DRAIN_MS\n/);
});
