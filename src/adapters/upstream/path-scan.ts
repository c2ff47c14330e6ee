import { endOfString } from "../../protocol/scan-json.ts";
import type { OpenText } from "./answer-machine.ts";
import { type EventFormat, endOfNumber, endOfSpaces, type Hole } from "./event-format.ts";

/** The literal text before a hole, and the hole's kind. */
interface Part {
  readonly before: string;
  readonly hole: Hole["kind"];
}

/** An event as the vendor writes it: literal text with holes. */
interface Template {
  readonly openText: OpenText;
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
 * from it only in the holes of its format has no other information. Every other event is parsed in full.
 */
export class PathScan {
  /** The text of the last matched event. */
  delta = "";
  /** The text that the last matched event extends. */
  openText: OpenText | undefined;
  readonly #format: EventFormat;
  /** The template of the last matched kind of delta, and that of the other kind. */
  #likely: Template | undefined;
  #other: Template | undefined;
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
  learn(event: string, data: string, openText: OpenText): void {
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

  #templateOf(event: string, data: string, openText: OpenText): Template | undefined {
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
