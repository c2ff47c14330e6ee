import assert from "node:assert/strict";
import fc from "fast-check";
import { ContentsMachine } from "../../../src/adapters/gemini/contents-machine.ts";
import { ResponsesMachine } from "../../../src/adapters/openai/responses-machine.ts";
import type { AnswerMachine } from "../../../src/adapters/upstream/answer-machine.ts";
import { EventReader, isHeartbeat } from "../../../src/adapters/upstream/event-reader.ts";
import { EventStreamParser } from "../../../src/adapters/upstream/event-stream-parser.ts";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { anyStreamOf, type StreamShapes } from "./any-stream.ts";
import { responsesShapes } from "./responses-shapes.ts";
import {
  chatFormat,
  geminiFormat,
  messagesFormat,
  NotingMachine,
  type VendorFormat,
} from "./vendor-formats.ts";
import { chatShapes, geminiShapes, messagesShapes } from "./vendor-shapes.ts";

interface Read {
  /** Consecutive texts are joined, and so are consecutive pieces of reasoning. */
  readonly events: readonly ProviderEvent[];
  readonly progress: number;
  readonly error: string | undefined;
  readonly state: readonly boolean[];
  /** The part of the answer that the machine holds. */
  readonly held: unknown;
}

interface Reading {
  readonly shapes: StreamShapes;
  /** A new machine, and a function that returns the texts in it. */
  create(): { readonly machine: AnswerMachine; held(error: string | undefined): unknown };
}

const poorEnd = { name: "", data: '{"type":"response.completed","response":{"output":null}}' };

/** The formats of four vendors. */
const readings: Readonly<Record<string, Reading>> = {
  responses: {
    shapes: responsesShapes,
    create() {
      const machine = new ResponsesMachine({ includeReasoning: true });
      // An end without its own output shows the held output.
      const held = (error: string | undefined) => {
        const end = error === undefined && !machine.ended ? machine.accept(poorEnd).at(-1) : undefined;
        return end?.type === "end" ? end.response?.output : undefined;
      };
      return { machine, held };
    },
  },
  chat: noting(chatShapes, chatFormat),
  messages: noting(messagesShapes, messagesFormat),
  gemini: noting(geminiShapes, geminiFormat),
  "gemini's machine": {
    shapes: geminiShapes,
    create() {
      const machine = new ContentsMachine({ model: "m", input: [], includeReasoning: true }, "origin");
      const held = (error: string | undefined) => {
        if (error !== undefined) return undefined;
        machine.accept({ name: "", data: '{"candidates":[{"finishReason":"MAX_TOKENS"}]}' });
        const end = machine.finish().at(-1);
        return end?.type === "end" ? end.response?.output : undefined;
      };
      return { machine, held };
    },
  },
};

export const formats = Object.keys(readings);

function noting(shapes: StreamShapes, format: VendorFormat): Reading {
  return {
    shapes,
    create() {
      const machine = new NotingMachine(format);
      return { machine, held: () => machine.notes };
    },
  };
}

/** Reads every event by parsing it in full. */
function readInFull({ create }: Reading, pieces: readonly Uint8Array[]): Read {
  const { machine, held } = create();
  const parser = new EventStreamParser({ maxEventChars: 1_000_000 });
  const decoder = new TextDecoder();
  const events: ProviderEvent[] = [];
  let progress = 0;
  let error: string | undefined;
  try {
    for (const piece of pieces) {
      const given = parser
        .push(decoder.decode(piece, { stream: true }))
        .filter((event) => !isHeartbeat(event, machine.format.mark));
      if (given.length > 0) progress += 1;
      for (const event of given) events.push(...machine.accept(event));
    }
  } catch (thrown) {
    error = TroupeError.from(thrown).code;
  }
  const state = [machine.silent, machine.ended];
  return { events: joinTexts(events), progress, error, state, held: held(error) };
}

function readQuickly({ create }: Reading, pieces: readonly Uint8Array[]): Read {
  const { machine, held } = create();
  const reader = new EventReader(machine);
  const events: ProviderEvent[] = [];
  let progress = 0;
  let error: string | undefined;
  for (const piece of pieces) {
    const read = reader.read(piece);
    if (read.isProgress) progress += 1;
    events.push(...read.events);
    if (read.failure === undefined) continue;
    error = TroupeError.from(read.failure.error).code;
    break;
  }
  reader.settle();
  const state = [machine.silent, machine.ended];
  return { events: joinTexts(events), progress, error, state, held: held(error) };
}

/** One read may give a text as one event that another read gives as several. */
export function joinTexts(events: readonly ProviderEvent[]): ProviderEvent[] {
  const joined: ProviderEvent[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    const isDelta = event.type === "text" || event.type === "reasoning";
    if (isDelta && last?.type === event.type)
      joined[joined.length - 1] = { type: event.type, text: last.text + event.text };
    else joined.push(event);
  }
  return joined;
}

/** Counts the objects that are parsed during `work`. Of a text with escapes, only the string is parsed. */
function countParsing<T>(work: () => T): { readonly result: T; readonly parsed: number } {
  const parse = JSON.parse;
  let parsed = 0;
  JSON.parse = (...args) => {
    if (args[0].startsWith("{")) parsed += 1;
    return parse(...args);
  };
  try {
    return { result: work(), parsed };
  } finally {
    JSON.parse = parse;
  }
}

/** Reads generated streams of a format in both ways and throws if they differ. Returns how many texts each way parsed. */
export function compareReadings(
  format: string,
  streams: number,
  seed: number,
): { readonly inFull: number; readonly quickly: number } {
  const reading = readings[format];
  if (reading === undefined) throw new Error(`There is no format ${format}.`);
  let inFull = 0;
  let quickly = 0;
  fc.assert(
    fc.property(anyStreamOf(reading.shapes), (pieces) => {
      const expected = countParsing(() => readInFull(reading, pieces));
      const read = countParsing(() => readQuickly(reading, pieces));
      inFull += expected.parsed;
      quickly += read.parsed;
      assert.deepEqual(read.result, expected.result);
    }),
    { seed, numRuns: streams },
  );
  return { inFull, quickly };
}
