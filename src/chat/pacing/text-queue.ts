import type { JsonObject } from "../../ports/json.ts";
import type { ProviderEvent } from "../../ports/provider.ts";

/** An event other than text on its way from a provider to the log. It keeps its place in the order. */
export type SideEvent = Exclude<ProviderEvent, { type: "text" } | { type: "checkpoint" } | { type: "end" }>;

/** A checkpoint with the counts before it: code units of text and of reasoning, and tool events. */
export interface PassedCheckpoint {
  readonly type: "checkpoint";
  readonly textUnits: number;
  readonly reasoningUnits: number;
  readonly toolEvents: number;
  readonly place: JsonObject;
}

/** Text that arrived together. `end` is its end within its run, or within all waiting text, in code units. */
export interface Arrival {
  end: number;
  readonly atMs: number;
}

interface TextRun {
  readonly type: "run";
  text: string;
  arrivals: Arrival[];
}

interface Side {
  readonly type: "side";
  event: SideEvent;
  units: number;
}

/** Arrivals closer together than this are timed as one, so that the list stays short. */
const arrivalGrainMs = 25;

/** Text and side events in their order, with the arrival time of each piece of text. */
export class TextQueue {
  readonly #items: (TextRun | Side)[] = [];
  /** Checkpoints after something that still waits. */
  readonly #checkpoints: PassedCheckpoint[] = [];
  #chars = 0;
  #sideUnits = 0;
  #pushedUnits = 0;
  #pushedReasoning = 0;
  #takenReasoning = 0;
  #pushedTools = 0;
  #takenTools = 0;

  /** Code units of waiting text. */
  get chars(): number {
    return this.#chars;
  }
  /** The same plus the side events, by the length of their JSON: the memory that the queue holds. */
  get size(): number {
    return this.#chars + this.#sideUnits;
  }
  get empty(): boolean {
    return this.#items.length === 0;
  }

  pushText(text: string, atMs: number): void {
    if (text === "") return;
    this.#chars += text.length;
    this.#pushedUnits += text.length;
    const last = this.#items.at(-1);
    if (last?.type !== "run") {
      this.#items.push({ type: "run", text, arrivals: [{ end: text.length, atMs }] });
      return;
    }
    last.text += text;
    const arrival = last.arrivals.at(-1);
    if (arrival !== undefined && atMs - arrival.atMs < arrivalGrainMs) arrival.end = last.text.length;
    else last.arrivals.push({ end: last.text.length, atMs });
  }

  pushEvent(event: Exclude<ProviderEvent, { type: "text" } | { type: "end" }>): void {
    if (event.type === "checkpoint") {
      const [textUnits, reasoningUnits] = [this.#pushedUnits, this.#pushedReasoning];
      this.#checkpoints.push({ ...event, textUnits, reasoningUnits, toolEvents: this.#pushedTools });
      return;
    }
    if (event.type === "reasoning") {
      this.#pushReasoning(event.text);
      return;
    }
    if (event.type === "tool") this.#pushedTools += 1;
    this.#pushSide(event, JSON.stringify(event).length);
  }

  /** Adjacent waiting pieces of reasoning become one, as pieces of text do. */
  #pushReasoning(text: string): void {
    this.#pushedReasoning += text.length;
    const last = this.#items.at(-1);
    if (last?.type !== "side" || last.event.type !== "reasoning") {
      this.#pushSide({ type: "reasoning", text }, text.length);
      return;
    }
    last.event = { type: "reasoning", text: last.event.text + text };
    last.units += text.length;
    this.#sideUnits += text.length;
  }

  #pushSide(event: SideEvent, units: number): void {
    this.#sideUnits += units;
    this.#items.push({ type: "side", event, units });
  }

  /** Takes the side events before the next text. */
  takeEvents(): SideEvent[] {
    const taken: SideEvent[] = [];
    for (let head = this.#items[0]; head?.type === "side"; head = this.#items[0]) {
      this.#items.shift();
      this.#sideUnits -= head.units;
      if (head.event.type === "reasoning") this.#takenReasoning += head.event.text.length;
      if (head.event.type === "tool") this.#takenTools += 1;
      taken.push(head.event);
    }
    return taken;
  }

  /** Takes the newest checkpoint with nothing waiting before it, if there is one. */
  takeCheckpoint(): PassedCheckpoint | undefined {
    if (this.#checkpoints.length === 0) return undefined;
    const waiting = this.#checkpoints.findIndex(
      ({ textUnits, reasoningUnits, toolEvents }) =>
        textUnits > this.#pushedUnits - this.#chars ||
        reasoningUnits > this.#takenReasoning ||
        toolEvents > this.#takenTools,
    );
    return this.#checkpoints.splice(0, waiting < 0 ? this.#checkpoints.length : waiting).at(-1);
  }

  /**
   * The code units that may be shown while more may follow. The last cluster waits for its rest, unless it started to arrive at
   * `heldThroughMs` or earlier. Half a surrogate pair always waits.
   */
  settled(heldThroughMs: number): number {
    const last = this.#items.at(-1);
    if (last?.type !== "run") return this.#chars;
    const before = this.#chars - last.text.length;
    const settled = settledLength(last.text);
    if (settled === last.text.length) return this.#chars;
    const held = last.arrivals[last.arrivals.findLastIndex(({ end }) => end <= settled) + 1];
    const waitsOn = held === undefined || held.atMs > heldThroughMs;
    return before + (waitsOn ? settled : wholeLength(last.text));
  }

  /** The arrival time of the oldest waiting text. */
  oldestMs(): number | undefined {
    for (const item of this.#items) if (item.type === "run") return item.arrivals[0]?.atMs;
    return undefined;
  }

  /** The arrivals of all waiting text. */
  arrivals(): readonly Arrival[] {
    const [head] = this.#items;
    if (this.#items.length === 1 && head?.type === "run") return head.arrivals;
    const arrivals: Arrival[] = [];
    let before = 0;
    for (const item of this.#items) {
      if (item.type !== "run") continue;
      for (const { end, atMs } of item.arrivals) arrivals.push({ end: before + end, atMs });
      before += item.text.length;
    }
    return arrivals;
  }

  /** Takes at most `maxCodePoints` of the next run's first `limit` code units. */
  takeChunk(maxCodePoints: number, limit: number): string {
    const head = this.#items[0];
    const run = head?.type === "run" ? head : undefined;
    if (run === undefined) return "";
    const end = chunkEnd(limit < run.text.length ? run.text.slice(0, limit) : run.text, maxCodePoints);
    const chunk = run.text.slice(0, end);
    this.#chars -= end;
    if (end === run.text.length) {
      this.#items.shift();
    } else {
      run.text = run.text.slice(end);
      run.arrivals = run.arrivals.filter((arrival) => arrival.end > end);
      for (const arrival of run.arrivals) arrival.end -= end;
    }
    return chunk.isWellFormed() ? chunk : chunk.toWellFormed();
  }
}

const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });

/** Printable ASCII, tab and line feed: every code unit is a character of its own, unless a combining mark follows. */
const plain = /^[\t\n -~]*$/;
const highestAscii = 0x7f;
const regionalIndicator = /^\ud83c[\udde6-\uddff]$/;
/** A longer tail is not held back: text that never ends its cluster must not be held forever. */
const maxHeldUnits = 64;

/**
 * The index in UTF-16 code units at which to cut the next chunk off `text`. At most `maxCodePoints` code points precede it. It splits no
 * grapheme cluster, unless the first one alone is longer than a chunk, and never a surrogate pair.
 */
export function chunkEnd(text: string, maxCodePoints: number): number {
  const head = text.slice(0, maxCodePoints + 1);
  if (plain.test(head)) return Math.min(text.length, maxCodePoints);
  const end = indexAfterCodePoints(text, maxCodePoints);
  if (end >= text.length) return text.length;
  const cluster = segmenter.segment(text.slice(0, end + 2)).containing(end);
  if (cluster === undefined || cluster.index === end || cluster.index === 0) return end;
  return cluster.index;
}

/**
 * The UTF-16 code units of `text` that may be shown while more may follow. The last cluster waits if the next piece could belong to it.
 * Plain ASCII does not wait, except for the start of a keycap emoji or of a line break of two characters.
 */
export function settledLength(cameSoFar: string): number {
  const text = cameSoFar.slice(0, wholeLength(cameSoFar));
  const last = text.charCodeAt(text.length - 1);
  if (text.length === 0) return 0;
  if (last <= highestAscii) {
    if (!mayGoOn(last)) return text.length;
    // After another ASCII character, it starts a cluster of its own.
    if (text.length === 1 || text.charCodeAt(text.length - 2) <= highestAscii) return text.length - 1;
  }
  const windowStart = startOfTail(text);
  const tail = text.slice(windowStart);
  const cluster = segmenter.segment(tail).containing(tail.length - 1);
  if (cluster === undefined) return text.length;
  const start = windowStart + cluster.index;
  return cluster.index === 0 && windowStart > 0 ? text.length : start;
}

/** Whether the character can start a keycap emoji or a line break of two characters. */
function mayGoOn(ascii: number): boolean {
  return (ascii >= 0x30 && ascii <= 0x39) || ascii === 0x23 || ascii === 0x2a || ascii === 0x0d;
}

/** The same without waiting for the rest of a cluster: it only leaves out half a surrogate pair at the end, which is no character. */
function wholeLength(text: string): number {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.length - 1 : text.length;
}

/** Flags are pairs counted from the first of their row, in a row of any length, so the tail must not start inside a row. */
function startOfTail(text: string): number {
  let start = Math.max(0, text.length - maxHeldUnits);
  if (isLowSurrogate(text.charCodeAt(start)) && start > 0) start -= 1;
  while (regionalIndicator.test(text.slice(Math.max(0, start - 2), start))) start -= 2;
  return start;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function indexAfterCodePoints(text: string, count: number): number {
  let index = 0;
  for (let taken = 0; taken < count && index < text.length; taken += 1) {
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  }
  return index;
}
