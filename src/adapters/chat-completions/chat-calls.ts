import { isObject, type JsonObject, objectsIn } from "../../ports/json.ts";
import type { ProviderEvent } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { parseJson } from "../upstream/event-stream-parser.ts";
import { callEvent, type FunctionCall } from "../upstream/response-object.ts";

/** A call and Google's signature of the reasoning before it, which Gemini's compatible endpoint wants back. */
export interface SignedCall extends FunctionCall {
  readonly signature?: string;
}

interface OpenCall {
  readonly callId: string;
  name: string;
  arguments: string;
  readonly argumentsEnd: ObjectEnd;
  signature?: string;
  /** Its event was given. */
  isTold: boolean;
}

/** Counted for a call beside its texts. A vendor may send any number of them. */
const callChars = 256;

/**
 * Joins the pieces of tool calls. A piece belongs to the call with its `index`. Gemini's and Mistral's endpoints send none: then its `id`
 * decides, and then its place. A new id begins a new call, and so does a second JSON object of arguments, because some servers put several
 * calls under one index.
 */
export class ChatCalls {
  readonly #calls: OpenCall[] = [];
  /** The last call under each index, id or place. */
  readonly #byKey = new Map<string, OpenCall>();
  /** Characters of ids, names, arguments and signatures, against a bound. */
  chars = 0;

  get isEmpty(): boolean {
    return this.#calls.length === 0;
  }

  /** Accepts the pieces of one chunk. Returns an event for each call that begins. */
  accept(pieces: unknown): ProviderEvent[] {
    return objectsIn(pieces).flatMap((piece, place) => this.#acceptOne(piece, place));
  }

  /** The calls in their order. Throws `upstream_invalid` for one without a name. */
  whole(): SignedCall[] {
    return this.#calls.map(({ callId, name, arguments: args, signature }) => {
      if (name === "")
        throw new TroupeError("upstream_invalid", { cause: new Error("A tool call has no name.") });
      const call = { callId, name, arguments: args.trim() === "" ? "{}" : args };
      return signature === undefined ? call : { ...call, signature };
    });
  }

  #acceptOne(piece: JsonObject, place: number): ProviderEvent[] {
    const given = isObject(piece.function) ? piece.function : {};
    const id = textOf(piece.id);
    const args = argumentsOf(given.arguments);
    const key = keyOf(piece, id, place);
    const earlier = this.#byKey.get(key);
    const call =
      earlier === undefined || isAnother(earlier, id, args) ? this.#begin(id, earlier?.name) : earlier;
    this.#byKey.set(key, call);
    const name = textOf(given.name);
    if (name !== "") call.name = name;
    call.arguments += args;
    call.argumentsEnd.add(args);
    const signature = signatureOf(piece);
    if (signature !== "") call.signature = signature;
    this.chars += name.length + args.length + signature.length;
    if (call.isTold || call.name === "") return [];
    call.isTold = true;
    return [callEvent({ callId: call.callId, name: call.name, arguments: "" }, "in_progress")];
  }

  #begin(id: string, name = ""): OpenCall {
    const callId = id === "" ? `call_${this.#calls.length}` : id;
    const call = { callId, name, arguments: "", argumentsEnd: new ObjectEnd(), isTold: false };
    this.chars += callChars + callId.length;
    this.#calls.push(call);
    return call;
  }
}

function keyOf({ index }: JsonObject, id: string, place: number): string {
  if (typeof index === "number") return `index ${index}`;
  return id === "" ? `place ${place}` : `id ${id}`;
}

function isAnother(earlier: OpenCall, id: string, args: string): boolean {
  if (id !== "") return id !== earlier.callId;
  // Arguments are parsed at most once: either another call begins then, or they go on after their end and are no JSON.
  return args.startsWith("{") && earlier.argumentsEnd.isClosed && parseJson(earlier.arguments) !== undefined;
}

function argumentsOf(given: unknown): string {
  return isObject(given) ? JSON.stringify(given) : textOf(given);
}

function signatureOf({ extra_content: extra }: JsonObject): string {
  const google = isObject(extra) ? extra.google : undefined;
  return isObject(google) ? textOf(google.thought_signature) : "";
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/**
 * Finds the end of a JSON object that comes in pieces. Each piece is read once, so the work for a piece does not grow with the text before
 * it. Only brackets and strings are followed: the text of a closed object may still be no JSON.
 */
class ObjectEnd {
  #state: "before" | "open" | "string" | "escape" | "closed" | "none" = "before";
  #depth = 0;

  /** The text so far ends with the bracket that closes its first object, which it starts with. */
  get isClosed(): boolean {
    return this.#state === "closed";
  }

  add(piece: string): void {
    for (let at = 0; at < piece.length && this.#state !== "none"; at += 1) this.#read(piece[at] ?? "");
  }

  #read(character: string): void {
    switch (this.#state) {
      case "before":
        if (character === "{") this.#nest(1);
        else if (character.trim() !== "") this.#state = "none";
        break;
      case "open":
        if (character === '"') this.#state = "string";
        else if (character === "{" || character === "[") this.#nest(1);
        else if (character === "}" || character === "]") this.#nest(-1);
        break;
      case "string":
        if (character === '"') this.#state = "open";
        else if (character === "\\") this.#state = "escape";
        break;
      case "escape":
        this.#state = "string";
        break;
      default:
        // Text after the end makes it no JSON.
        this.#state = "none";
    }
  }

  #nest(by: 1 | -1): void {
    this.#depth += by;
    this.#state = this.#depth === 0 ? "closed" : "open";
  }
}
