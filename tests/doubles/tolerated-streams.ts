import { type AnswerParts, eventsOf } from "./answer.ts";
import { type AnyEvent, eventText, eventTexts } from "./event-text.ts";
import {
  everyMoment,
  type FaultContext,
  type FaultExpectation,
  type FaultShape,
  faultAnswer,
  faultDeltas,
  type Moment,
  type Position,
  streamUntil,
  textUntil,
  writes,
} from "./fault-shape.ts";
import { type AnswerEnding, terminalEvent, usageOf, type WireEvent } from "./response-object.ts";
import type { Script, Step } from "./script.ts";
import { streamHead, streamScript } from "./stream-script.ts";

const wholeText = faultDeltas.join("");

function completed(note: string, finishReason: FaultExpectation["finishReason"] = "stop"): FaultExpectation {
  return { outcome: "completed", finishReason, retriesAllowed: false, note };
}

/** Inserts something into a stream that then goes on to its end. `skipped` is how many numbers the insertion uses up. */
function inserted(
  name: string,
  note: string,
  skipped: number,
  insert: (position: Position) => readonly string[],
): FaultShape {
  return {
    name,
    moments: everyMoment,
    script: (moment, context = {}) =>
      streamUntil(moment, context, (position) =>
        writes([...insert(position), ...eventTexts(position.rest, position.next + skipped)]),
      ),
    text: () => wholeText,
    expect: completed(note),
  };
}

/** One terminal event other than `response.completed`, in place of all events that would have followed. */
function endedAs(
  name: string,
  note: string,
  ending: AnswerEnding,
  finishReason: "length" | "content_filter",
): FaultShape {
  return {
    name,
    moments: everyMoment,
    script: (moment, context = {}) =>
      streamUntil(moment, context, ({ next, parts }) => [
        { write: eventText(terminalEvent(parts.started, ending, [], usageOf(10, 5)), next) },
      ]),
    text: textUntil,
    expect: completed(note, finishReason),
  };
}

/** A whole answer with something after its terminal event. */
function afterTerminal(
  name: string,
  note: string,
  follow: (number: number, parts: AnswerParts) => readonly Step[],
): FaultShape {
  return {
    name,
    moments: ["last"],
    script: (_moment, context = {}) =>
      streamUntil("last", context, ({ next, rest, parts }) => [
        ...writes(eventTexts(rest, next)),
        ...follow(next + rest.length, parts),
      ]),
    text: () => wholeText,
    expect: completed(note),
  };
}

/** An answer made of other events than usual. */
function composed(name: string, note: string, text: string, events: readonly AnyEvent[]): FaultShape {
  return {
    name,
    moments: ["before"],
    script: () => streamScript(eventTexts(events)),
    text: () => text,
    expect: completed(note),
  };
}

function ofDeltas(...deltas: string[]): WireEvent[] {
  return eventsOf(faultAnswer({ deltas }));
}

/** A delta that no reader may show. */
function strayDelta(number: number, { deltas }: AnswerParts): string {
  const [first] = deltas;
  if (first === undefined) throw new Error("the answer has no delta");
  return eventText({ ...first, delta: "MUST NOT BE SHOWN" }, number);
}

/** Waits at the moment if told to, and then sends the long rest even if the client has left. */
function ignoringAbort(moment: Moment, context: FaultContext): Script {
  const long = faultAnswer({ deltas: [...faultDeltas, ...lateDeltas] });
  const rest = ({ next, rest }: Position): Step[] => writes(eventTexts(rest, next));
  return [{ ignoreAbort: true }, ...streamUntil(moment, context, rest, long)];
}

const lateDeltas = Array.from({ length: 64 }, (_, index) => `late ${index} `);
const parts = faultAnswer();
const [created, inProgress] = parts.prologue;
if (created === undefined || inProgress === undefined) throw new Error("an answer begins with two events");

/** Streams that look odd but are whole. A server must read them without a fault. */
export const toleratedStreams: readonly FaultShape[] = [
  endedAs(
    "incomplete-length",
    "the limit of output tokens was reached",
    { status: "incomplete", reason: "max_output_tokens" },
    "length",
  ),
  endedAs(
    "incomplete-content-filter",
    "the content filter stopped the answer",
    { status: "incomplete", reason: "content_filter" },
    "content_filter",
  ),
  inserted("queued-event", "response.queued says nothing that matters", 1, ({ next, parts: { started } }) => [
    eventText({ type: "response.queued", response: { ...started, status: "queued" } }, next),
  ]),
  inserted("in-progress-event", "response.in_progress once more", 1, ({ next }) => [
    eventText(inProgress, next),
  ]),
  inserted("unknown-event", "an event type that does not exist yet", 1, ({ next }) => [
    eventText({ type: "response.telepathy.delta", delta: "MUST NOT BE SHOWN", item_id: "tp_1" }, next),
  ]),
  inserted("comments", "keep-alive comments between events", 0, () => [": ping\n\n", ":\n\n", ": ping\n"]),
  inserted("sequence-gap", "sequence_number jumps ahead", 10, () => []),
  inserted("sequence-repeat", "sequence_number steps back", -1, () => []),
  afterTerminal("delta-after-terminal", "a delta behind the terminal event is ignored", (number) => [
    { write: strayDelta(number, parts) },
  ]),
  afterTerminal("done-twice-after-terminal", "end markers and data behind the terminal event", (number) => [
    { write: "data: [DONE]\n\n" },
    { write: "data: [DONE]\n\n" },
    { write: strayDelta(number, parts) },
    { write: eventText(parts.terminal, number + 1) },
  ]),
  afterTerminal("open-after-terminal", "the connection stays open behind the terminal event", () => [
    { hang: true },
  ]),
  composed(
    "refusal",
    "the model refuses: shown as text",
    "I cannot help with that.",
    eventsOf(faultAnswer({ refusal: ["I cannot ", "help with that."] })),
  ),
  composed("text-only-in-terminal", "no delta at all: the text stands in the final object", wholeText, [
    created,
    inProgress,
    parts.terminal,
  ]),
  composed("text-only-in-done", "no delta at all: the text stands in the closing events", wholeText, [
    ...parts.prologue,
    ...parts.epilogue,
    parts.terminal,
  ]),
  composed(
    "other-final-text",
    "the final text differs from the deltas: what was shown wins",
    wholeText,
    eventsOf(faultAnswer({ finalText: "Snow falls." })),
  ),
  composed("deltas-before-their-item", "the item is announced behind its deltas", wholeText, [
    created,
    inProgress,
    ...parts.deltas,
    ...parts.prologue.slice(2),
    ...parts.epilogue,
    parts.terminal,
  ]),
  composed("empty-deltas", "deltas without text", "ab", ofDeltas("", "a", "", "", "b", "")),
  composed(
    "surrogate-pair-across-deltas",
    "the two halves of a character come as escapes in two deltas",
    "rain 😀 sun",
    ofDeltas("rain \ud83d", "\ude00 sun"),
  ),
  composed(
    "markers-in-text",
    "the text itself looks like the stream's own markers",
    'data: [DONE]\n\nevent: error\ndata: {"error":{}}\n\n',
    ofDeltas("data: [DONE]\n\n", "event: error\ndata: ", '{"error":{}}\n\n'),
  ),
  {
    name: "ignores-abort",
    moments: everyMoment,
    script: (moment, context = {}) => ignoringAbort(moment, context),
    text: () => wholeText + lateDeltas.join(""),
    expect: completed("goes on sending when the client has closed; not cancelled, it is a usual answer"),
  },
  {
    name: "no-keep-alive",
    moments: ["before"],
    script: () => [streamHead({ headers: { connection: "close" } }), ...writes(eventTexts(eventsOf(parts)))],
    text: () => wholeText,
    expect: completed("a chunked body and then the end of the connection"),
  },
];
