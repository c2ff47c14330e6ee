import assert from "node:assert/strict";
import { hostname } from "node:os";
import { describe, it } from "node:test";
import { createSecretMask } from "../../src/adapters/upstream/secret-mask.ts";
import { describeCause } from "../../src/compose/describe-cause.ts";
import { LogObserver } from "../../src/compose/log-observer.ts";
import { openLog } from "../../src/compose/open-log.ts";
import type { TurnFacts } from "../../src/ports/observer.ts";
import { type ErrorCode, TroupeError } from "../../src/protocol/errors.ts";
import { createTestClock } from "../support/test-clock.ts";

const cause = Object.assign(new Error("401 Incorrect key."), {
  ...{ status: 401, code: "invalid_api_key", requestID: "req_7" },
});
const turn = { requestId: "asked" } as TurnFacts;

/** Logs a failure and returns its line in the log. */
function log(
  code: ErrorCode,
  {
    isTTY = false,
    level = "info" as const,
    why = cause as unknown,
  }: { isTTY?: boolean; level?: "info" | "debug"; why?: unknown },
): string[] {
  const written: string[] = [];
  const logger = openLog(
    { logLevel: level, logFormat: "auto" },
    { isTTY, write: (text: string) => written.push(text) },
  );
  const error = new TroupeError(code, { cause: why, detail: "Check OPENAI_API_KEY." });
  new LogObserver(logger, createTestClock()).turnEnded(turn, { outcome: "failed", error, durationMs: 0 });
  const lines = written.join("").split("\n");
  assert.equal(lines.pop(), "");
  return lines;
}

describe("a provider's failure in the log", () => {
  it("is a line to read in a terminal", () => {
    const lines = log("upstream_auth", { isTTY: true });
    assert.equal(lines.length, 1);
    assert.match(
      lines[0] ?? "",
      /^\d\d:\d\d:\d\d warn {2}a request failed: The model provider refused the server's credentials\. Check OPENAI_API_KEY\. \(401 Incorrect key\.; code invalid_api_key, request req_7\) request=asked code=upstream_auth$/,
    );
  });

  it("is a line of JSON elsewhere, without a stack", () => {
    const lines = log("upstream_auth", {});
    assert.equal(lines.length, 1);
    const { level, msg, request, code, ...rest } = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
    assert.deepEqual({ level, request, code }, { level: 40, request: "asked", code: "upstream_auth" });
    assert.match(String(msg), /^a request failed: .*Check OPENAI_API_KEY\. \(401 Incorrect key\./);
    assert.deepEqual(Object.keys(rest).sort(), ["hostname", "pid", "time"]);
  });

  it("has its stack at debug, and a fault of the server itself always", () => {
    for (const isTTY of [true, false]) {
      assert.match(log("upstream_auth", { isTTY, level: "debug" }).join("\n"), /open-log\.test\.ts/);
      assert.match(log("internal_error", { isTTY }).join("\n"), /open-log\.test\.ts/);
      assert.doesNotMatch(log("upstream_auth", { isTTY }).join("\n"), /open-log\.test\.ts/);
    }
  });

  it("gives a terminal nothing to obey, and cannot look like a second line", () => {
    for (const evil of ["\u001b[2J", "\u009b2J", "a\nb", "a\r\nb", "a\u2028b", "\u0007", "\u0000"]) {
      const lines = log("upstream_error", { isTTY: true, why: new Error(`before ${evil} after`) });
      assert.equal(lines.length, 1, JSON.stringify(evil));
      assert.doesNotMatch(lines[0] ?? "", /[\p{Cc}\u2028\u2029]/u);
      assert.match(lines[0] ?? "", /before .*after/);
    }
  });

  it("of one that changes nothing for a client is a line too", () => {
    const written: string[] = [];
    const logger = openLog(
      { logLevel: "info", logFormat: "auto" },
      { isTTY: true, write: (text) => written.push(text) },
    );
    new LogObserver(logger, createTestClock()).warned({ message: "It went wrong.", cause });
    assert.equal(written.length, 1);
    assert.match(
      written[0] ?? "",
      /^\S+ warn {2}It went wrong\. \(401 Incorrect key\.; code invalid_api_key, request req_7\)\n$/,
    );
  });
});

describe("the format of the log", () => {
  /** The line that a log with these settings writes. */
  function line(logFormat: "auto" | "json" | "text", isTTY: boolean, nodeName?: string): string {
    const written: string[] = [];
    const settings = {
      logLevel: "info",
      logFormat,
      ...(nodeName === undefined ? {} : { nodeName }),
    } as const;
    const logger = openLog(settings, { isTTY, write: (text) => written.push(text) });
    logger.warn({ request: "r-1" }, "a request failed");
    return written.join("");
  }

  it("is JSON with the node and the request, also in a terminal if that is asked for", () => {
    for (const [format, isTTY] of [
      ["auto", false],
      ["json", true],
    ] as const) {
      const { node, request, msg, level } = JSON.parse(line(format, isTTY, "node-2"));
      assert.deepEqual([node, request, msg, level], ["node-2", "r-1", "a request failed", 40]);
    }
    const unnamed = JSON.parse(line("auto", false));
    assert.deepEqual([unnamed.node, unnamed.hostname], [undefined, hostname()]);
  });

  it("is text without the node in a terminal, and elsewhere if that is asked for", () => {
    for (const [format, isTTY] of [
      ["auto", true],
      ["text", false],
    ] as const)
      assert.match(line(format, isTTY, "node-2"), /^\d\d:\d\d:\d\d warn {2}a request failed request=r-1\n$/);
  });
});

describe("an error in one line", () => {
  const refused = Object.assign(
    new AggregateError([
      new Error("connect ECONNREFUSED ::1:9"),
      new Error("connect ECONNREFUSED 127.0.0.1:9"),
    ]),
    {
      code: "ECONNREFUSED",
    },
  );
  for (const [name, given, line] of [
    ["nothing", undefined, undefined],
    ["no error", 7, undefined],
    ["a text", "odd", "odd"],
    ["no message", Object.assign(new Error(""), { code: "EPIPE" }), "code EPIPE"],
    ["causes", new Error("No connection", { cause: new Error("refused") }), "No connection: refused"],
    [
      "a message that repeats its cause",
      new Error("it failed: refused", { cause: new Error("refused") }),
      "it failed: refused",
    ],
    [
      "all addresses of a name",
      createSecretMask("key").cause(new Error("No connection", { cause: refused })),
      "No connection: connect ECONNREFUSED ::1:9, connect ECONNREFUSED 127.0.0.1:9",
    ],
    ["more than a line", new Error(`${"x".repeat(700)}`), `${"x".repeat(600)}…`],
  ] as const)
    it(name, () => assert.equal(describeCause(given), line));
});
