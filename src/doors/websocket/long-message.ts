import { wireLimits } from "../../protocol/limits.ts";

/** Code units of one part. With their escapes they take less than 64 KiB on the wire, about as much as one write. */
const partChars = 16 * 1024;
/** A string is long from this many code units. */
const longChars = 1024;
/** A list or an object is long if its JSON has more code units, unless it is one of a message's own. */
const longJsonChars = 16 * 1024;
/** Names of values that keep their form: each long value in them is emptied separately. */
const ownNames: ReadonlySet<string> = new Set(["data", "payload", "responses", "lanes", "persona"]);
/** Fields that the short form keeps of a provider's object that is too large even without its long values. */
const keptNames: ReadonlySet<string> = new Set([
  "id",
  "status",
  "output_text",
  "finish_reason",
  "simulated",
  "cancel",
]);

interface WholeMessage {
  readonly request_id: string;
  readonly [name: string]: unknown;
}

/**
 * A message above the size that every client must be able to read. It is sent as parts of its JSON text, and then in a short form. A
 * client that does not know parts still sees the short form, in the right order.
 */
export class LongMessage {
  readonly #json: string;
  readonly #requestId: string;
  readonly #short: string;

  /** The message itself is not held, because its sockets may be slow. */
  private constructor(json: string, whole: WholeMessage) {
    this.#json = json;
    this.#requestId = whole.request_id;
    let count = 0;
    for (let start = 0; start < json.length; start = endOfPart(json, start)) count += 1;
    this.#short = shortForm(whole, count);
  }

  /**
   * The message in the form to send: its JSON text, or a `LongMessage` if that is too large. `read` returns the message of the text
   * (default: parses it).
   */
  static from(json: string, read: () => object = () => JSON.parse(json)): string | LongMessage {
    return isTooLarge(json) ? new LongMessage(json, read() as WholeMessage) : json;
  }

  /** Yields the parts and then the short form, each made on request. */
  *messages(): Generator<string, undefined> {
    const json = this.#json;
    for (let start = 0, end: number; start < json.length; start = end) {
      end = endOfPart(json, start);
      yield JSON.stringify({ type: "part", request_id: this.#requestId, json: json.slice(start, end) });
    }
    yield this.#short;
  }
}

function isTooLarge(json: string): boolean {
  const { serverMessageBytes } = wireLimits;
  // A code unit takes at most three bytes.
  return json.length * 3 > serverMessageBytes && Buffer.byteLength(json) > serverMessageBytes;
}

/** Keeps a surrogate pair together, because a lone half cannot be encoded. */
function endOfPart(json: string, start: number): number {
  const end = Math.min(start + partChars, json.length);
  const last = json.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff && end < json.length ? end - 1 : end;
}

function shortForm(whole: WholeMessage, count: number): string {
  const short: Readonly<Record<string, unknown>> = { ...shortened(whole), in_parts: count };
  const json = JSON.stringify(short);
  return isTooLarge(json) ? JSON.stringify({ ...short, ...keptOf(short) }) : json;
}

/** The value with an empty text, list or object in the place of each long one. */
function shortened(value: object): object {
  return Object.fromEntries(
    Object.entries(value).map(([name, member]: [string, unknown]) => [name, shortMember(name, member)]),
  );
}

function shortMember(name: string, member: unknown): unknown {
  if (typeof member === "string") return member.length > longChars ? "" : member;
  if (typeof member !== "object" || member === null) return member;
  if (ownNames.has(name))
    return Array.isArray(member)
      ? member.map((item: unknown) => shortMember("data", item))
      : shortened(member);
  if (!isLongJson(member)) return member;
  return Array.isArray(member) ? [] : {};
}

/** The texts alone decide for a long answer, because writing all of it to JSON takes 8 ms. */
function isLongJson(member: object): boolean {
  return textChars(member) > longJsonChars || JSON.stringify(member).length > longJsonChars;
}

function textChars(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce((sum: number, member: unknown) => sum + textChars(member), 0);
}

/** Keeps only known fields, because a provider's object may have any number of members. */
function keptOf({ data, payload }: Readonly<Record<string, unknown>>): object {
  return {
    ...(typeof data === "object" && data !== null
      ? { data: Object.fromEntries(Object.entries(data).filter(([name]) => keptNames.has(name))) }
      : {}),
    ...(payload === undefined ? {} : { payload: {} }),
  };
}
