import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { processorTimeOf } from "../support/processor-time.ts";
import { type CostlyCall, startCostlyServer } from "./costly-server.ts";
import { costlyValues } from "./costly-values.ts";

setFlagsFromString("--expose-gc");
const collectOnce = runInNewContext("gc") as () => void;

const page = await readFile(new URL("../../docs/http-api.md", import.meta.url), "utf8");
/** Every route that docs/http-api.md names, each once, with `<id>` for its parameter. */
const routes = [
  ...new Set(
    [...page.matchAll(/^\| `((?:GET|POST|PATCH|DELETE) \/api[^`?]*)/gm)].map(([, route = ""]) => route),
  ),
].map((route) => ({ method: route.split(" ")[0] ?? "", path: route.split(" ")[1] ?? "" }));

const queryNames = ["limit", "before", "q", "format", "from", "to", "ticket", "other"];
const headerNames = [
  "authorization",
  "sec-websocket-protocol",
  "origin",
  "host",
  "content-type",
  "accept",
  "cookie",
];
const bodyFields = ["title", "owner", "name", "limits"];
/** The maximum length of a body, and of a frame. */
const bodyChars = [3_900, 60_000, 1_000_000];
const bodies = bodyChars.flatMap((chars) => costlyValues([], chars));
const megabyte = 1_000_000;
const exactMs = 60;

/** Texts that give regular expressions and splitting the most work, in characters that an address and a header can carry. */
const texts = [
  "x",
  " ",
  "x ",
  ",",
  "a,",
  "/",
  "..",
  "=&",
  "%",
  "%41",
  "%00",
  "%ed%a0%80",
  "-",
  "1",
  ":",
  "[",
  "0.",
  "'()*",
  "\t",
  "@",
].map((unit) => unit.repeat(Math.floor(megabyte / unit.length)));
const prefixes: Readonly<Record<string, readonly string[]>> = {
  authorization: ["Bearer ", "Bearer x", "bearer"],
  "sec-websocket-protocol": ["troupe.token.", "troupe.token.x,troupe.token."],
  origin: ["http://", "https://[", "null"],
  host: ["127.0.0.1:", "[", ""],
};
const safeInPath = (text: string) => text.replace(/[ \t[]/g, "+");

function* calls(): Iterable<CostlyCall> {
  for (const { method, path } of routes) {
    for (const text of texts) {
      const inPath = safeInPath(text);
      if (path.includes("<id>")) yield { method, path: path.replace("<id>", inPath) };
      else yield { method, path: `${path}/${inPath}` };
      for (const name of queryNames) yield { method, path: `${path.replace("<id>", "a")}?${name}=${inPath}` };
      yield { method, path: `${path.replace("<id>", "a")}?${inPath}` };
      for (const name of headerNames)
        for (const prefix of prefixes[name] ?? [""])
          yield { method, path: path.replace("<id>", "a"), headers: { [name]: prefix + text } };
    }
    if (method !== "POST" && method !== "PATCH") continue;
    for (const { json } of bodies) {
      yield { method, path: path.replace("<id>", "a"), body: json };
      for (const name of bodyFields)
        yield { method, path: path.replace("<id>", "a"), body: `{"owner":"a","${name}":${json}}` };
    }
  }
  for (const text of texts) {
    yield { method: "GET", path: `/ws?ticket=${safeInPath(text)}`, upgrade: true };
    for (const name of headerNames)
      for (const prefix of prefixes[name] ?? [""])
        yield { method: "GET", path: "/ws", upgrade: true, headers: { [name]: prefix + text } };
  }
}

/** Every `shares`th call, so that each part of each route is covered. */
function* chosen(shares: number): Iterable<CostlyCall> {
  let place = 0;
  for (const call of calls()) {
    place += 1;
    if (place % shares === 0) yield call;
  }
}

const describeCall = ({ method, path, headers = {}, body = "" }: CostlyCall) =>
  `${method} ${path.slice(0, 60)} ${JSON.stringify(headers).slice(0, 80)} ${body.slice(0, 60)}`;

/** The statuses that such a request may get. None of them means that the server has failed. */
const rightStatuses = new Set([101, 200, 201, 204, 400, 401, 403, 404, 405, 413, 421, 426, 429, 431]);

describe("HTTP requests that cost as much as their length allows", () => {
  it("are answered rightly, cost little more than reading them, and leave nothing behind", async (test) => {
    assert.ok(routes.length >= 12, "the table of routes was found");
    await using server = await startCostlyServer();
    const padding = "x".repeat(megabyte);
    const plain = {
      method: "PATCH",
      path: "/api/conversations/a",
      headers: { padding },
      body: `{"title":"${"x".repeat(60_000)}"}`,
    };
    for (let again = 0; again < 10; again += 1) await server.call(plain);
    const allowed = 4 * (await processorTimeOf(() => server.call(plain), exactMs));
    let count = 0;
    const heaps: number[] = [];
    for (let round = 0; round < 2; round += 1) {
      for (const call of chosen(97)) {
        count += 1;
        const reply = await server.call(call);
        assert.ok(rightStatuses.has(reply.status), `${reply.status}: ${describeCall(call)}`);
        const body = reply.status === 400 && reply.text.startsWith("{") ? JSON.parse(reply.text) : undefined;
        const isOfHost = call.headers?.host !== undefined && body?.code === "bad_host";
        if (body !== undefined && !isOfHost) {
          assert.equal(body.code, "invalid_message", describeCall(call));
          assert.ok(body.field.length <= 512, describeCall(call));
        }
        if (body !== undefined) assert.ok(reply.text.length <= 2_000, describeCall(call));
        if (reply.microseconds <= allowed) continue;
        const cost = await processorTimeOf(() => server.call(call), exactMs);
        assert.ok(cost <= allowed, `${cost} us, at most ${allowed}: ${describeCall(call)}`);
      }
      for (let again = 0; again < 6; again += 1) collectOnce();
      heaps.push(process.memoryUsage().heapUsed);
    }
    const [first = 0, second = 0] = heaps;
    assert.ok(second - first < megabyte, `${second - first} bytes more after the second round`);
    assert.equal((await server.call({ method: "GET", path: "/healthz" })).status, 200);
    assert.deepEqual(server.faults, []);
    test.diagnostic(`${count} requests, each within ${allowed} us`);
  });
});
