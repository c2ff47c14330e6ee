import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { createSeededRandom, type SeededRandom } from "../../crash/seeded-random.ts";
import { splitAt } from "../../doubles/script.ts";
import { streamHead } from "../../doubles/stream-script.ts";
import {
  type FullReading,
  framings,
  type RecordedEvent,
  type RecordedResponse,
  readInFull,
  recordedStreams,
} from "../../support/recorded-streams.ts";
import { createProviderSetup, type ProviderSetup, reading } from "./provider-setup.ts";

const streams = recordedStreams();
const answers = streams.filter(({ events }) => readInFull(events).response !== undefined);
const { signal: never } = new AbortController();
const cutsOfStream = 4;

/** The result of reading an answer. */
interface Heard {
  readonly text: string;
  readonly reasoning: string;
  readonly end: Extract<ProviderEvent, { type: "end" }> | undefined;
  readonly thrown: unknown;
}

async function hear(at: ProviderSetup, packets: readonly Uint8Array[]): Promise<Heard> {
  at.double.respond([streamHead(), ...packets.map((write) => ({ write }))]);
  const call = reading(at, never, { includeReasoning: true });
  const thrown = await call.ended;
  const events = call.batches.flat();
  const joined = (type: "text" | "reasoning") =>
    events.map((event) => (event.type === type ? event.text : "")).join("");
  const end = events.find((event) => event.type === "end");
  return { text: joined("text"), reasoning: joined("reasoning"), end, thrown };
}

function bytesOf(events: readonly RecordedEvent[], framing: (event: RecordedEvent) => string): Buffer {
  return Buffer.from(events.map(framing).join(""));
}

function anyPackets(bytes: Uint8Array, random: SeededRandom): Uint8Array[] {
  const places = Array.from({ length: random.whole(0, 40) }, () => random.whole(1, bytes.length - 1));
  return splitAt(
    bytes,
    [...new Set(places)].sort((one, other) => one - other),
  );
}

function finishOf({ output }: RecordedResponse): string {
  const asks = output.some(({ type }) => type === "function_call" || type === "custom_tool_call");
  return asks ? "tool_calls" : "stop";
}

function check(heard: Heard, full: FullReading): void {
  assert.equal(heard.text, full.text);
  assert.equal(heard.reasoning, full.reasoning);
  const { response } = full;
  if (response === undefined) {
    assert.ok(heard.thrown instanceof TroupeError);
    assert.equal(heard.end, undefined);
    return;
  }
  assert.equal(heard.thrown, undefined);
  assert.deepEqual(heard.end?.response, response);
  const { input_tokens: inputTokens, output_tokens: outputTokens } = response.usage;
  assert.equal(heard.end?.usage?.inputTokens, inputTokens);
  assert.equal(heard.end?.usage?.outputTokens, outputTokens);
  assert.equal(heard.end?.finishReason, finishOf(response));
}

/** The citations in the order of their texts. */
function sourcesIn(output: unknown): unknown[] {
  return (output as RecordedResponse["output"]).flatMap(({ type, content = [] }) =>
    type === "message" ? content.flatMap(({ annotations = [] }) => annotations) : [],
  );
}

describe("a recorded stream is read as reading all of it in full would", () => {
  it("and there are streams with text, reasoning, sources and tools, and one that fails", () => {
    const readings = streams.map(({ events }) => readInFull(events));
    assert.ok(streams.length >= 20);
    for (const has of [
      ({ text }: FullReading) => text !== "",
      ({ reasoning }: FullReading) => reasoning !== "",
      ({ sources }: FullReading) => sources.length > 0,
      ({ response }: FullReading) => response !== undefined && finishOf(response) === "tool_calls",
      ({ errorCode }: FullReading) => errorCode !== undefined,
    ])
      assert.ok(readings.some(has), String(has));
  });

  for (const [index, { name, events }] of streams.entries()) {
    it(`${name}: whole, and cut at random places`, async () => {
      await using at = await createProviderSetup();
      const full = readInFull(events);
      const random = createSeededRandom(index);
      for (const framing of Object.values(framings)) {
        const bytes = bytesOf(events, framing);
        check(await hear(at, [bytes]), full);
        for (let cut = 0; cut < cutsOfStream; cut += 1)
          check(await hear(at, anyPackets(bytes, random)), full);
      }
      if (full.response !== undefined && full.sources.length > 0)
        assert.deepEqual(sourcesIn(full.response.output), full.sources);
    });

    it(`${name}: as frames of a WebSocket`, async () => {
      await using at = await createProviderSetup({ transport: "websocket" });
      const full = readInFull(events);
      const random = createSeededRandom(2_000 + index);
      const bytes = bytesOf(events, (event) => `data: ${JSON.stringify(event)}\n\n`);
      check(await hear(at, [bytes]), full);
      for (let cut = 0; cut < cutsOfStream; cut += 1) check(await hear(at, anyPackets(bytes, random)), full);
      assert.ok(at.double.requests.every(({ headers }) => headers.upgrade === "websocket"));
    });

    it(`${name}: cut off at random places`, async () => {
      await using at = await createProviderSetup();
      const random = createSeededRandom(1_000 + index);
      const bytes = bytesOf(events, (event) => `data: ${JSON.stringify(event)}\n\n`);
      for (let cut = 0; cut < 2 * cutsOfStream; cut += 1) {
        const sent = bytes.subarray(0, random.whole(1, bytes.length));
        // An event that lacks only its empty line is an event.
        const whole = events.slice(0, sent.toString().split("\n").filter(isWholeLine).length);
        const full = readInFull(whole);
        const heard = await hear(at, anyPackets(sent, random));
        check(heard, full);
        const known = full.response !== undefined || full.errorCode !== undefined;
        const code = heard.thrown instanceof TroupeError ? heard.thrown.code : undefined;
        if (!known) assert.equal(code, whole.length === 0 ? "upstream_empty" : "upstream_truncated");
      }
    });
  }
});

function isWholeLine(line: string): boolean {
  try {
    return line.startsWith("data: ") && typeof JSON.parse(line.slice("data: ".length)) === "object";
  } catch {
    return false;
  }
}

/** Ends that say less than the stream did. */
const poorer: Readonly<Record<string, (response: RecordedResponse) => object>> = {
  "without output": ({ output: _, ...response }) => response,
  "with no output": (response) => ({ ...response, output: null }),
  "with an empty output": (response) => ({ ...response, output: [] }),
  "without its last item": (response) => ({ ...response, output: response.output.slice(0, -1) }),
  "without its first item": (response) => ({ ...response, output: response.output.slice(1) }),
  "without annotations": (response) => withParts(response, (part) => ({ ...part, annotations: [] })),
  "without texts": (response) => withParts(response, (part) => ({ ...part, text: "" })),
  "without contents": (response) => ({
    ...response,
    output: response.output.map((item) => (item.content === undefined ? item : { ...item, content: [] })),
  }),
};

function withParts(response: RecordedResponse, change: (part: object) => object): object {
  const output = response.output.map((item) =>
    item.type === "message" ? { ...item, content: item.content?.map(change) } : item,
  );
  return { ...response, output };
}

/** The items as in the whole response, without the fields that no event gives in the same way. */
function comparable(output: unknown): unknown {
  return (output as RecordedResponse["output"]).map(({ id: _, encrypted_content: __, ...item }) => item);
}

describe("a recorded stream whose end says less than its events", () => {
  for (const { name, events } of answers)
    it(`${name}: data.output has the streamed items`, async () => {
      await using at = await createProviderSetup();
      const full = readInFull(events);
      assert.ok(full.response !== undefined);
      for (const [how, impoverish] of Object.entries(poorer)) {
        const response = impoverish(full.response);
        const poor = events.map((event) =>
          event.type === "response.completed" ? { ...event, response } : event,
        );
        const heard = await hear(at, [bytesOf(poor, (event) => `data: ${JSON.stringify(event)}\n\n`)]);
        assert.equal(heard.thrown, undefined, how);
        assert.equal(heard.text, full.text, how);
        assert.deepEqual(comparable(heard.end?.response?.output), comparable(full.response.output), how);
        assert.deepEqual(sourcesIn(heard.end?.response?.output), sourcesIn(full.response.output), how);
        assert.equal(heard.end?.finishReason, finishOf(full.response), how);
      }
    });
});
