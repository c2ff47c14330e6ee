import { endOfString } from "../../protocol/decode.ts";

/** A streamed text is part of the answer or of its reasoning. */
export type DeltaKind = "text" | "reasoning";

/** Where a format keeps the values that differ from one delta to the next. Paths look like `choices.0.delta.content`. */
interface FormatPaths {
  /** The texts of the answer. An event that extends it has exactly one of them. */
  readonly text: readonly string[];
  /** The same for reasoning. */
  readonly reasoning?: readonly string[];
  /** Numbers and strings that may be missed before the end: numbers of events, padding, running counts of tokens. */
  readonly ignored?: readonly string[];
}

/** A value in an event's JSON that differs from one delta to the next. */
interface Hole {
  /** `text` is the delta. `spaces` pad the event before its last brace. */
  readonly kind: "text" | "string" | "number" | "spaces";
  readonly start: number;
  readonly end: number;
}

/** A step of the paths. A step with a role is the end of a path. */
interface Step {
  role?: "text" | "ignored";
  readonly next: Map<string, Step>;
}

/** How a vendor writes its events. Made once for each vendor. */
export class EventFormat {
  /** Marks an event as part of an answer. An event named like a heartbeat is one only without the mark. */
  readonly mark: RegExp;
  readonly #steps: Readonly<Record<DeltaKind, Step>>;

  constructor(paths: FormatPaths, mark: RegExp) {
    this.mark = mark;
    const { text, reasoning = [], ignored = [] } = paths;
    this.#steps = { text: stepsOf(text, ignored), reasoning: stepsOf(reasoning, ignored) };
  }

  /**
   * The holes in the JSON of a delta, in order. `undefined` if the place of the text is not certain: there is not exactly one, or a name
   * is written with escapes.
   */
  holesIn(json: string, kind: DeltaKind): Hole[] | undefined {
    const search = new HoleSearch(json);
    const end = search.value(0, this.#steps[kind]);
    if (end !== json.length || search.texts !== 1) return undefined;
    const brace = json.length - 1;
    const start = json.slice(0, brace).trimEnd().length;
    if (start < brace) search.holes.push({ kind: "spaces", start, end: brace });
    return search.holes;
  }
}

function stepsOf(texts: readonly string[], ignored: readonly string[]): Step {
  const root: Step = { next: new Map() };
  for (const [role, paths] of [["text", texts] as const, ["ignored", ignored] as const])
    for (const path of paths) {
      let step = root;
      for (const name of path.split(".")) {
        const next: Step = step.next.get(name) ?? { next: new Map() };
        step.next.set(name, next);
        step = next;
      }
      step.role = role;
    }
  return root;
}

/** Looks for the holes of one event, whose JSON is valid. Each method returns the end of its value, or -1 if a place is not certain. */
class HoleSearch {
  readonly holes: Hole[] = [];
  texts = 0;
  readonly #json: string;

  constructor(json: string) {
    this.#json = json;
  }

  value(start: number, step: Step | undefined): number {
    const json = this.#json;
    if (step !== undefined && step.next.size > 0) {
      if (json[start] === "{") return this.#fields(start, step.next);
      if (json[start] === "[") return this.#entries(start, step.next);
    }
    const end = endOfValue(json, start);
    if (end < 0 || step?.role === undefined) return end;
    if (step.role === "text") {
      if (json[start] !== '"') return end;
      this.texts += 1;
      this.holes.push({ kind: "text", start, end });
    } else if (json[start] === '"') {
      this.holes.push({ kind: "string", start, end });
    } else if (endOfNumber(json, start) === end) {
      this.holes.push({ kind: "number", start, end });
    }
    return end;
  }

  #fields(start: number, next: ReadonlyMap<string, Step>): number {
    const json = this.#json;
    let at = endOfSpaces(json, start + 1);
    if (json[at] === "}") return at + 1;
    for (;;) {
      const nameEnd = endOfString(json, at);
      const name = json.slice(at + 1, nameEnd);
      if (nameEnd < 0 || name.includes("\\")) return -1;
      const colon = endOfSpaces(json, nameEnd + 1);
      at = this.value(endOfSpaces(json, colon + 1), next.get(name));
      if (at < 0) return -1;
      at = endOfSpaces(json, at);
      if (json[at] === "}") return at + 1;
      if (json[at] !== ",") return -1;
      at = endOfSpaces(json, at + 1);
    }
  }

  #entries(start: number, next: ReadonlyMap<string, Step>): number {
    const json = this.#json;
    let at = endOfSpaces(json, start + 1);
    if (json[at] === "]") return at + 1;
    for (let index = 0; ; index += 1) {
      at = this.value(at, next.get(String(index)));
      if (at < 0) return -1;
      at = endOfSpaces(json, at);
      if (json[at] === "]") return at + 1;
      if (json[at] !== ",") return -1;
      at = endOfSpaces(json, at + 1);
    }
  }
}

/** The ends of values in JSON text that was not parsed. Every function takes the place where the value starts. */

const zero = 0x30;
const nine = 0x39;
const space = 0x20;
const tab = 0x09;

/** The end of an integer without a sign; -1 if there is none. */
function endOfNumber(text: string, start: number): number {
  let at = start;
  for (let code = text.charCodeAt(at); code >= zero && code <= nine; code = text.charCodeAt(at)) at += 1;
  if (at === start || (text.charCodeAt(start) === zero && at > start + 1)) return -1;
  return at;
}

/** The end of white space inside a line. */
function endOfSpaces(text: string, start: number): number {
  let at = start;
  for (let code = text.charCodeAt(at); code === space || code === tab; code = text.charCodeAt(at)) at += 1;
  return at;
}

/** The end of any value; -1 if it has none. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') {
      at = endOfString(text, at);
      if (at < 0) return -1;
      if (depth === 0) return at + 1;
    } else if (char === "{" || char === "[") {
      depth += 1;
    } else if (char === "}" || char === "]") {
      // At depth 0 it closes the object around a number or a word.
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (char === "," || char === " " || char === "\t")) {
      return at;
    }
  }
  return -1;
}

/** The literal text before a hole, and the hole's kind. */
type Part = { readonly before: string; readonly hole: Hole["kind"] };

/** An event as the vendor writes it: literal text with holes. */
interface Template<Text> {
  readonly openText: Text;
  readonly parts: readonly Part[];
  readonly end: string;
}

/** After this many events in a row without a match, no more templates are made. */
const maxMisses = 8;
const quote = 0x22;
/** Characters that a JSON string cannot contain as they are (control characters), and the backslash, which starts an escape. */
const notPlain = /[^ -[\]-\uffff]/;

/**
 * Reads deltas of text and of reasoning without parsing them. A delta that was parsed in full becomes a template. An event that differs
 * from it only in the holes of its format has no other information, and extends the same text. Every other event is parsed in full.
 */
export class PathScan<Text extends { readonly kind: DeltaKind }> {
  /** The text of the last matched event. */
  delta = "";
  /** The text that the last matched event extends. */
  openText: Text | undefined;
  readonly #format: EventFormat;
  /** The template of the last matched kind of delta, and that of the other kind. */
  #likely: Template<Text> | undefined;
  #other: Template<Text> | undefined;
  #misses = 0;

  constructor(format: EventFormat) {
    this.#format = format;
  }

  /** The end of the event that starts at `start`; -1 if the event does not match or is incomplete. */
  match(text: string, start: number): number {
    const likely = this.#likely;
    const other = this.#other;
    const end = likely === undefined ? -1 : this.#matchOne(likely, text, start);
    if (end >= 0 || other === undefined) return end;
    const otherEnd = this.#matchOne(other, text, start);
    if (otherEnd < 0) return -1;
    this.#likely = other;
    this.#other = likely;
    return otherEnd;
  }

  /** Makes a template of an event that did not match: `event` is its whole text, `data` its data. */
  learn(event: string, data: string, openText: Text): void {
    if (this.#misses >= maxMisses) return;
    this.#misses += 1;
    const template = this.#templateOf(event, data, openText);
    if (template === undefined) return;
    if (this.#likely?.openText.kind !== openText.kind) this.#other = this.#likely;
    this.#likely = template;
  }

  /** Drops the templates, because later events may look the same and belong to another text. */
  forget(): void {
    this.#likely = undefined;
    this.#other = undefined;
  }

  #templateOf(event: string, data: string, openText: Text): Template<Text> | undefined {
    const head = event.length - data.length - 2;
    if (event.slice(head) !== `${data}\n\n`) return undefined;
    const holes = this.#format.holesIn(data, openText.kind);
    if (holes === undefined) return undefined;
    let at = 0;
    const parts = holes.map(({ kind, start, end }): Part => {
      const before = event.slice(at, head + start);
      at = head + end;
      return { before, hole: kind };
    });
    return { openText, parts, end: event.slice(at) };
  }

  #matchOne(template: Template<Text>, text: string, start: number): number {
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
    this.openText = template.openText;
    return end;
  }

  /** The end of the hole's value; -1 if the value is not written plainly. */
  #readHole(text: string, at: number, hole: Hole["kind"]): number {
    if (hole === "number") return endOfNumber(text, at);
    if (hole === "spaces") return endOfSpaces(text, at);
    if (text.charCodeAt(at) !== quote) return -1;
    let close = text.indexOf('"', at + 1);
    if (close < 0) return -1;
    let value = text.slice(at + 1, close);
    if (notPlain.test(value)) {
      if (hole !== "text") return -1;
      close = endOfString(text, at);
      const read = close < 0 ? undefined : readString(text.slice(at, close + 1));
      if (read === undefined) return -1;
      value = read;
    }
    if (hole === "text") this.delta = value;
    return close + 1;
  }
}

function readString(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined; // Parsing the whole event reports the fault.
  }
}
