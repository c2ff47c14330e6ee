import type { DeltaKind } from "./growths.ts";
import type { StreamedPart } from "./streamed-item.ts";

/** Fields of a delta whose value changes from event to event. */
type Hole = "delta" | "obfuscation" | "sequence_number";

/** The literal text before a hole, and the hole. */
interface Part {
  readonly before: string;
  readonly hole: Hole;
}

/** An event as the vendor writes it: literal text with holes. */
interface Template {
  readonly kind: DeltaKind;
  readonly part: StreamedPart | undefined;
  readonly parts: readonly Part[];
  readonly end: string;
}

const kinds: ReadonlyMap<unknown, DeltaKind> = new Map<unknown, DeltaKind>([
  ["response.output_text.delta", "text"],
  ["response.reasoning_summary_text.delta", "reasoning"],
  ["response.reasoning_text.delta", "reasoning"],
]);
/** After this many events in a row without a match, no more templates are made. */
const mostMisses = 8;
/** Characters that a JSON string cannot contain as they are (control characters), and the backslash, which starts an escape. */
const notPlain = /[^ -[\]-\uffff]/;

/**
 * Reads deltas of text and of reasoning without parsing them. A delta that was parsed in full becomes a template. An event that differs
 * from it only in text, number and padding has no other information. Every other event is parsed in full.
 */
export class DeltaScan {
  /** The text of the last matched event. */
  delta = "";
  /** The kind of the last matched event. */
  kind: DeltaKind = "text";
  /** The part of the answer that the last matched event belongs to, if that part is held. */
  part: StreamedPart | undefined;
  #text: Template | undefined;
  #reasoning: Template | undefined;
  #misses = 0;

  /** The end of the event that starts at `start`; -1 if the event does not match or is incomplete. */
  match(text: string, start: number): number {
    // Most deltas are of the same kind as the one before.
    const likely = this.kind === "text" ? this.#text : this.#reasoning;
    const other = this.kind === "text" ? this.#reasoning : this.#text;
    const end = likely === undefined ? -1 : this.#matchOne(likely, text, start);
    return end >= 0 || other === undefined ? end : this.#matchOne(other, text, start);
  }

  /** Makes a template of an event that did not match: `event` is its whole text, `data` its data. */
  learn(event: string, data: string, part?: StreamedPart): void {
    if (this.#misses >= mostMisses) return;
    this.#misses += 1;
    const template = templateOf(event, data, part);
    if (template?.kind === "reasoning") this.#reasoning = template;
    else if (template !== undefined) this.#text = template;
  }

  /** Drops the templates, because later events may look the same and belong to another part. */
  forget(): void {
    this.#text = undefined;
    this.#reasoning = undefined;
  }

  #matchOne(template: Template, text: string, start: number): number {
    let at = start;
    for (const { before, hole } of template.parts) {
      // Compared by slice: `startsWith` compares a character at a time and was the main cost of a token here.
      if (text.slice(at, at + before.length) !== before) return -1;
      at = this.#readHole(text, at + before.length, hole);
      if (at < 0) return -1;
    }
    const end = at + template.end.length;
    if (text.slice(at, end) !== template.end) return -1;
    this.#misses = 0;
    this.kind = template.kind;
    this.part = template.part;
    return end;
  }

  /** The end of the hole's value; -1 if the value is not written plainly. */
  #readHole(text: string, at: number, hole: Hole): number {
    if (hole === "sequence_number") return endOfNumber(text, at);
    if (text.charCodeAt(at) !== quote) return -1;
    let close = text.indexOf('"', at + 1);
    if (close < 0) return -1;
    let value = text.slice(at + 1, close);
    if (notPlain.test(value)) {
      if (hole !== "delta") return -1;
      close = endOfString(text, at);
      const read = close < 0 ? undefined : readString(text.slice(at, close + 1));
      if (read === undefined) return -1;
      value = read;
    }
    if (hole === "delta") this.delta = value;
    return close + 1;
  }
}

const quote = 0x22;
const zero = 0x30;
const nine = 0x39;
const backslash = 0x5c;

/** A template, if writing the parsed event again gives the same text: only then are the places of its values known. */
function templateOf(event: string, data: string, part: StreamedPart | undefined): Template | undefined {
  const head = event.slice(0, event.length - data.length - 2);
  if (event !== `${head}${data}\n\n`) return undefined;
  const parsed: unknown = JSON.parse(data);
  if (typeof parsed !== "object" || parsed === null || JSON.stringify(parsed) !== data) return undefined;
  const fields = Object.entries(parsed as Record<string, unknown>);
  const kind = kinds.get(fields.find(([name]) => name === "type")?.[1]);
  if (kind === undefined) return undefined;
  const parts: Part[] = [];
  let literal = `${head}{`;
  for (const [index, [name, value]] of fields.entries()) {
    literal += `${index === 0 ? "" : ","}${JSON.stringify(name)}:`;
    if (isHole(name, value)) {
      parts.push({ before: literal, hole: name });
      literal = "";
    } else {
      literal += JSON.stringify(value);
    }
  }
  return parts.some(({ hole }) => hole === "delta")
    ? { kind, part, parts, end: `${literal}}\n\n` }
    : undefined;
}

function isHole(name: string, value: unknown): name is Hole {
  if (name === "delta" || name === "obfuscation") return typeof value === "string";
  return name === "sequence_number" && Number.isSafeInteger(value) && Number(value) >= 0;
}

/** The end of a JSON integer without a sign; -1 if there is none. */
function endOfNumber(text: string, start: number): number {
  let at = start;
  for (let code = text.charCodeAt(at); code >= zero && code <= nine; code = text.charCodeAt(at)) at += 1;
  if (at === start || (text.charCodeAt(start) === zero && at > start + 1)) return -1;
  return at;
}

/** The place of the closing quote; -1 if there is none. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === backslash) at += 1;
    else if (code === quote) return at;
  }
  return -1;
}

function readString(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined; // Parsing the whole event reports the fault.
  }
}
