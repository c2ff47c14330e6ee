import { wireLimits } from "../../protocol/limits.ts";

/** Code units of one part: with their escapes they take less than 64 KiB on the wire, about as much as one write. */
const partChars = 16 * 1024;
/** A string is long from here on, code units. */
const longChars = 1024;
/** So is a list or an object whose JSON has more code units, unless it is one of a message's own. */
const longJsonChars = 16 * 1024;
/** Names of values that keep their form: each long value in them is emptied by itself. */
const ownNames: ReadonlySet<string> = new Set(["data", "payload", "responses", "lanes", "persona"]);
/** What the short form keeps of a provider's object that is too large even without its long values. */
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
 * A message that is larger than a client must be able to read. It is sent as pieces of its JSON text, and then in a short form: a
 * client that knows no parts still sees it, and in its place.
 */
export class LongMessage {
  readonly #json: string;
  readonly #requestId: string;
  readonly #short: string;

  /** The message itself is not held: its sockets may be slow. */
  private constructor(json: string, whole: WholeMessage) {
    this.#json = json;
    this.#requestId = whole.request_id;
    let count = 0;
    for (let start = 0; start < json.length; start = endOfPart(json, start)) count += 1;
    this.#short = shortForm(whole, count);
  }

  /**
   * The message as it is to be sent: its JSON text, or a `LongMessage` if that is too large. `read` gives the message of the text
   * (default: parses it).
   */
  static from(json: string, read: () => object = () => JSON.parse(json)): string | LongMessage {
    return isTooLarge(json) ? new LongMessage(json, read() as WholeMessage) : json;
  }

  /** Each piece is made when it is asked for. */
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

/** A pair of surrogates stays together: alone, neither half can be told. */
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

/** The same with an empty text, list or object in the place of each long one. */
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
  if (JSON.stringify(member).length <= longJsonChars) return member;
  return Array.isArray(member) ? [] : {};
}

/** A provider's object may have any number of members. */
function keptOf({ data, payload }: Readonly<Record<string, unknown>>): object {
  return {
    ...(typeof data === "object" && data !== null
      ? { data: Object.fromEntries(Object.entries(data).filter(([name]) => keptNames.has(name))) }
      : {}),
    ...(payload === undefined ? {} : { payload: {} }),
  };
}
