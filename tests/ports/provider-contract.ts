import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { type Item, textMessage } from "../../src/ports/item.ts";
import type { Provider, ProviderEvent, ProviderRequest } from "../../src/ports/provider.ts";
import { type ErrorCode, TroupeError } from "../../src/protocol/errors.ts";
import { type Script, splitEvery } from "../doubles/script.ts";
import { httpError, streamHead, streamScript } from "../doubles/stream-script.ts";
import type { UpstreamDouble } from "../doubles/upstream-double.ts";
import type { TestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";

/** A provider that answers any request with a text, and a request for it. */
export interface ProviderUnderTest extends AsyncDisposable {
  readonly provider: Provider;
  readonly request: ProviderRequest;
}

/** A provider whose upstream is a double. Its key is `key-of-a-test`; it waits 60 s for the first event and 300 s for any other. */
export interface UpstreamProviderUnderTest extends ProviderUnderTest {
  readonly double: UpstreamDouble;
  readonly clock: TestClock;
  /** Number of its open connections, in use or kept. */
  connections(): number;
}

/** An answer as the vendor writes it: bytes before the first delta, bytes for each delta, and bytes for the end. */
export interface VendorAnswer {
  readonly opening: string;
  delta(text: string): string;
  readonly closing: string;
  /** An event that reports a failure inside the stream. */
  readonly failure: string;
}

/** The error code of an upstream's fault, and whether the call may be made again. */
type FaultCode = readonly [code: ErrorCode, isSafe: boolean];

const stop = new Error("stop");
const never = new AbortController().signal;

/** Reads a call to its end. */
async function read({ provider, request }: ProviderUnderTest, signal = never) {
  const batches: ProviderEvent[][] = [];
  let thrown: unknown;
  try {
    for await (const batch of provider.stream(request, { signal })) batches.push(batch);
  } catch (error) {
    thrown = error;
  }
  const text = batches.flat().map((event) => (event.type === "text" ? event.text : ""));
  return { batches, thrown, text: text.join("") };
}

/** The part of the contract of `Provider` that needs no upstream, for every adapter to run. */
export function describeProvider(name: string, create: () => Promise<ProviderUnderTest>): void {
  describe(`${name} as a provider`, () => {
    it("yields batches that are never empty, and one end, which is the last event of the last batch", async () => {
      await using under = await create();
      const { batches, thrown, text } = await read(under);
      assert.equal(thrown, undefined);
      assert.notEqual(text, "");
      for (const batch of batches) assert.ok(batch.length > 0);
      const events = batches.flat();
      assert.equal(events.filter(({ type }) => type === "end").length, 1);
      assert.equal(events.at(-1)?.type, "end");
    });

    it("throws the reason of an aborted signal, and yields nothing", async () => {
      await using under = await create();
      const { batches, thrown } = await read(under, AbortSignal.abort(stop));
      assert.deepEqual([batches, thrown], [[], stop]);
    });

    it("throws the reason of an abort between two batches", async () => {
      await using under = await create();
      const controller = new AbortController();
      const batches = under.provider.stream(under.request, controller)[Symbol.asyncIterator]();
      await batches.next();
      controller.abort(stop);
      await assert.rejects(batches.next(), stop);
      assert.equal((await batches.next()).done, true);
    });

    it("is over once its reader has left", async () => {
      await using under = await create();
      const batches = under.provider.stream(under.request, { signal: never })[Symbol.asyncIterator]();
      await batches.next();
      await batches.return?.();
      assert.equal((await batches.next()).done, true);
    });
  });
}

/**
 * The whole contract of `Provider`, for every adapter with an upstream to run. `ownCodes`: faults that look different to its transport, by
 * their names below.
 */
export function describeUpstreamProvider(
  name: string,
  { opening, delta, closing, failure }: VendorAnswer,
  create: () => Promise<UpstreamProviderUnderTest>,
  ownCodes: Readonly<Record<string, FaultCode>> = {},
): void {
  const words = ["Rain ", "fällt — ", "雨が", " 👩‍🚀", ' "\\', "\n."];
  const bytes = Buffer.from(opening + words.map(delta).join("") + closing);
  const begun = opening + delta("Rain ");

  describeProvider(name, async () => {
    const under = await create();
    // Cut, so that there is more than one batch.
    under.double.respond(streamScript([begun, delta("falls.") + closing]));
    return under;
  });

  describe(`${name} and its upstream`, () => {
    it("gives the same text however the network cuts it", async () => {
      await using under = await create();
      for (const size of [bytes.length, 97, 11, 1]) {
        under.double.respond(streamScript(splitEvery(bytes, size)));
        const { text, thrown } = await read(under);
        assert.deepEqual([text, thrown], [words.join(""), undefined], `pieces of ${size} bytes`);
      }
    });

    it("closes the connection at an abort before it throws, and ignores late bytes", async () => {
      await using under = await create();
      const late = { repeat: [{ write: delta("late ") }] };
      under.double.respond([{ ignoreAbort: true }, streamHead(), { write: begun }, late]);
      const controller = new AbortController();
      const batches = under.provider.stream(under.request, controller)[Symbol.asyncIterator]();
      await batches.next();
      const next = batches.next().then(() => batches.next());
      controller.abort(stop);
      await assert.rejects(next, stop);
      assert.equal(under.connections(), 0);
      assert.equal(under.clock.sleeping, 0);
    });

    it("closes the connection when its reader leaves", async () => {
      await using under = await create();
      under.double.respond([streamHead(), { write: begun }, { hang: true }]);
      for await (const _ of under.provider.stream(under.request, { signal: never })) break;
      assert.equal(under.connections(), 0);
    });

    it("sends no state of another provider", async () => {
      await using under = await create();
      under.double.respond(streamScript([begun + closing]));
      const { request } = under;
      const providerState = { provider: "another", state: { signature: "secret-of-another" } };
      const thought = { type: "reasoning", text: "Hm.", providerState } as const;
      const said = { ...textMessage("assistant", "Rain?"), providerState };
      const input = [...request.input, thought, said, ...request.input];
      const { thrown } = await read({ ...under, request: { ...request, input } });
      assert.equal(thrown, undefined);
      assert.equal(JSON.stringify(under.double.requests[0]?.body).includes("secret-of-another"), false);
    });

    const items: readonly (readonly [string, Item])[] = [
      ["rain.png", { type: "message", role: "user", parts: [{ type: "image", url: "http://a.b/rain.png" }] }],
      ["rain.txt", { type: "message", role: "user", parts: [{ type: "file", url: "http://a.b/rain.txt" }] }],
      ["call-of-rain", { type: "tool-call", callId: "c", name: "call-of-rain", arguments: "{}" }],
      [
        "result-of-rain",
        { type: "tool-result", callId: "c", output: [{ type: "text", text: "result-of-rain" }] },
      ],
    ];
    for (const [word, item] of items)
      it(`sends or refuses each item, and drops none in silence: ${word}`, async () => {
        await using under = await create();
        under.double.respond(streamScript([begun + closing]));
        const { request } = under;
        const input = [...request.input, item, ...request.input];
        const { thrown } = await read({ ...under, request: { ...request, input } });
        if (thrown === undefined) assert.ok(JSON.stringify(under.double.requests[0]?.body).includes(word));
        else {
          assert.ok(thrown instanceof TroupeError);
          assert.deepEqual([thrown.code, thrown.field], ["upstream_invalid_request", "input.1"]);
        }
      });

    const stalls: readonly [string, Script, number, ErrorCode][] = [
      ["that sends no head", [{ hang: true }], 60_000, "upstream_timeout"],
      ["that sends no event", [streamHead(), { hang: true }], 60_000, "upstream_timeout"],
      ["that falls silent", [streamHead(), { write: begun }, { hang: true }], 300_000, "upstream_stalled"],
    ];
    for (const [what, script, limitMs, code] of stalls)
      it(`ends a call to an upstream ${what}`, async () => {
        await using under = await create();
        under.double.respond(script);
        const batches = under.provider.stream(under.request, { signal: never })[Symbol.asyncIterator]();
        if (code === "upstream_stalled") await batches.next();
        // A reader that does not ask has not waited.
        await under.clock.advance(limitMs + 1);
        const ended = assert.rejects(
          batches.next(),
          (error) => error instanceof TroupeError && error.code === code,
        );
        await under.double.received(1);
        await until(() => under.clock.sleeping > 0);
        await under.clock.advance(limitMs);
        await ended;
        assert.equal(under.connections(), 0);
      });

    const said = { message: "The key key-of-a-test is said.", type: null, code: null };
    const faults: readonly [string, Script, ErrorCode, boolean][] = [
      ["401", httpError(401, said), "upstream_auth", false],
      ["429", httpError(429, said, { "retry-after": "7" }), "rate_limited", true],
      ["500", httpError(500, said), "upstream_error", true],
      ["503", httpError(503, said), "upstream_overloaded", true],
      ["no event", streamScript([": nothing\n\n"]), "upstream_empty", false],
      ["a body that is no stream", streamScript(["<html>"]), "upstream_invalid", false],
      ["half an answer", streamScript([begun]), "upstream_truncated", false],
      ["a reset", [streamHead(), { write: begun }, { reset: true }], "upstream_disconnected", false],
      ["a failure", streamScript([begun + failure]), "upstream_error", true],
    ];
    for (const [what, script, ...usual] of faults)
      it(`throws one error for ${what}, tries once, and keeps the key to itself`, async () => {
        await using under = await create();
        under.double.respond(script);
        const { thrown, batches, text } = await read(under);
        const [code, isSafe] = ownCodes[what] ?? usual;
        assert.ok(thrown instanceof TroupeError);
        assert.deepEqual([thrown.code, thrown.safeToRepeat], [code, isSafe]);
        assert.equal(thrown.retryAfterMs, code === "rate_limited" ? 7_000 : undefined);
        assert.equal(text, JSON.stringify(script).includes("Rain") ? "Rain " : "");
        assert.equal(
          batches.flat().some(({ type }) => type === "end"),
          false,
        );
        assert.equal(under.double.calls, 1);
        assert.equal(inspect(thrown, { depth: 9 }).includes("key-of-a-test"), false);
      });
  });
}
