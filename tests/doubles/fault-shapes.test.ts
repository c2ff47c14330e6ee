import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextImmediate } from "node:timers/promises";
import { errorTable } from "../../src/protocol/errors.ts";
import { type FaultShape, type Moment, mayRetry } from "./fault-shape.ts";
import { faultShapes } from "./fault-shapes.ts";
import { looseFailures, looseStreams } from "./loose-streams.ts";
import { callText, createRawClient } from "./raw-client.ts";
import { createGate } from "./script.ts";
import { type ReadSoFar, readShape } from "./shape-reader.ts";
import { unusualHeads } from "./unusual-heads.ts";
import { createUpstreamDouble } from "./upstream-double.ts";

/** How the body of an answer ended, as a client sees it; `silent` if it did not end. */
type BodyEnd = "ended" | "broken" | "silent";

interface Seen extends ReadSoFar {
  readonly status: number;
  readonly contentType: string;
  readonly end: BodyEnd;
}

const bodyEndOf: Readonly<Record<string, BodyEnd>> = {
  upstream_disconnected: "broken",
  upstream_stalled: "silent",
  upstream_timeout: "silent",
};

/** A plain `fetch` cannot read these, and neither can a plain reader. */
const oddShapes = new Set([...unusualHeads, ...looseStreams, ...looseFailures]);
const streamCases = faultShapes
  .filter((shape) => !oddShapes.has(shape))
  .filter(({ name, baseUrl }) => baseUrl === undefined && !name.startsWith("http-"))
  .flatMap((shape) => shape.moments.map((moment) => ({ shape, moment })));

const httpShapes = faultShapes.filter((shape) => shape.name.startsWith("http-") && !oddShapes.has(shape));

/** Plays a shape to a plain `fetch`. The fault is held back until the text before it has been read. */
async function play(shape: FaultShape, moment: Moment, end: BodyEnd): Promise<Seen> {
  await using double = await createUpstreamDouble({ keepAlive: false });
  const seen = createGate();
  const headCame = createGate();
  const isFault = shape.expect.outcome === "error";
  const staysOpen = shape.name === "open-after-terminal";
  double.respond(shape.script(moment, isFault ? { until: seen.opened } : {}));
  const leave = new AbortController();
  let body = "";
  if (shape.text(moment) === "") seen.open();
  if (end === "silent") {
    const held = Promise.all([double.received(1), seen.opened]);
    void held.then(async ([call]) => {
      await passLoopTurns();
      // Sent bytes may still be on their way.
      if (call.bytesWritten > 0) await headCame.opened;
      leave.abort();
    });
  }
  let head: Response | undefined;
  try {
    head = await fetch(`${double.baseUrl}/responses`, { method: "POST", body: "{}", signal: leave.signal });
    headCame.open();
    const decoder = new TextDecoder();
    for await (const packet of head.body ?? []) {
      body += decoder.decode(packet, { stream: true });
      // Reading the whole body again for each packet is slow, so it is done only if the outcome depends on it.
      if (isFault && readShape(body).text === shape.text(moment)) seen.open();
      if (staysOpen && readShape(body).terminal !== undefined) break;
    }
    return { ...describeHead(head), ...readShape(body), end: "ended" };
  } catch {
    return { ...describeHead(head), ...readShape(body), end: leave.signal.aborted ? "silent" : "broken" };
  }
}

function describeHead(head: Response | undefined): { status: number; contentType: string } {
  return { status: head?.status ?? 0, contentType: head?.headers.get("content-type") ?? "" };
}

async function passLoopTurns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await nextImmediate();
}

describe("the catalogue", () => {
  it("has a name of its own for each shape, and codes that the wire knows", () => {
    assert.equal(new Set(faultShapes.map(({ name }) => name)).size, faultShapes.length);
    for (const { name, expect, moments } of faultShapes) {
      assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
      assert.ok(moments.length > 0, name);
      if (expect.outcome === "error") assert.ok(Object.hasOwn(errorTable, expect.code ?? ""), name);
      else assert.ok(expect.finishReason, name);
    }
  });

  it("gives the same steps each time", () => {
    for (const shape of faultShapes) {
      for (const moment of shape.moments) {
        assert.deepEqual(shape.script(moment), shape.script(moment), shape.name);
      }
    }
  });

  it("allows a second call only before any text", () => {
    for (const shape of faultShapes) {
      assert.equal(mayRetry(shape, "middle"), false);
      assert.equal(mayRetry(shape, "last"), false);
      if (shape.expect.outcome === "completed") assert.equal(mayRetry(shape, "before"), false);
      if (shape.expect.code === "quota_exceeded") assert.equal(mayRetry(shape, "before"), false);
      if (shape.expect.retryExpected) assert.equal(mayRetry(shape, "before"), true);
    }
  });
});

describe("shapes inside a stream", () => {
  for (const { shape, moment } of streamCases) {
    it(`${shape.name}, ${moment}`, async () => {
      const { outcome, code = "", finishReason = "" } = shape.expect;
      const end = bodyEndOf[code] ?? "ended";
      const seen = await play(shape, moment, end);
      assert.equal(seen.end, end);
      assert.equal(seen.status, shape.name.endsWith("-before-head") ? 0 : 200);
      if (code !== "upstream_invalid") assert.equal(seen.text, shape.text(moment));
      if (outcome === "completed") {
        const type = finishReason === "stop" ? "response.completed" : "response.incomplete";
        assert.equal(seen.terminal, type);
      } else if (/^(error-event|data-error|response-failed)/.test(shape.name)) {
        assert.match(seen.terminal ?? "", /^(error|response\.failed)$/);
      } else if (code !== "upstream_invalid") {
        assert.equal(seen.terminal, undefined);
      }
    });
  }
});

describe("unusual heads", () => {
  for (const shape of unusualHeads) {
    it(`${shape.name} is sent as it is written`, async () => {
      await using double = await createUpstreamDouble();
      double.respond(shape.script("before"));
      using client = await createRawClient(double.baseUrl);
      await client.send(callText({}));
      const packet = String(await client.next());
      assert.equal(packet.startsWith("HTTP/1.1 "), shape.name !== "http-0-9", packet);
    });
  }
});

describe("shapes before the stream", () => {
  for (const shape of httpShapes) {
    it(shape.name, async () => {
      await using double = await createUpstreamDouble();
      double.respond(shape.script("before"));
      const answer = await fetch(`${double.baseUrl}/responses`, {
        method: "POST",
        body: "{}",
        redirect: "manual",
      });
      assert.ok(shape.name.startsWith(`http-${answer.status}`));
      const text = await answer.text();
      if (answer.headers.get("content-type") === "application/json") {
        assert.equal(typeof JSON.parse(text).error.message, "string");
      }
      // The rule of the vendor's SDK, except for quotas, which the SDK retries in vain.
      const asked = answer.headers.get("x-should-retry");
      const usual = [408, 409, 429].includes(answer.status) || answer.status >= 500;
      const retries = asked === null ? usual : asked === "true";
      assert.equal(mayRetry(shape, "before"), retries && shape.expect.code !== "quota_exceeded");
    });
  }

  it("leads a redirect to the address that the test gives", () => {
    const shape = httpShapes.find(({ name }) => name === "http-307-elsewhere");
    const [head] = shape?.script("before", { elsewhere: "http://127.0.0.1:1/v1" }) ?? [];
    assert.ok(head !== undefined && "head" in head);
    assert.equal(head.head.headers?.location, "http://127.0.0.1:1/v1/responses");
  });

  it("has addresses at which no call succeeds", async () => {
    await using double = await createUpstreamDouble();
    const shapes = faultShapes.filter(({ baseUrl }) => baseUrl !== undefined);
    assert.equal(shapes.length, 3);
    for (const shape of shapes) {
      const baseUrl = await shape.baseUrl?.(double.baseUrl);
      await assert.rejects(fetch(`${baseUrl}/responses`, { method: "POST", body: "{}" }), TypeError);
    }
    assert.equal(double.requests.length, 0);
  });
});
