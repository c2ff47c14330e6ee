import { isObject, type JsonObject, type JsonValue, jsonChars, objectsIn } from "../../ports/json.ts";
import type { ProviderEvent } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { callEvent, type FunctionCall } from "../upstream/response-object.ts";

/** Counted for each call, list and object beside its characters. A vendor may send any number of them. */
export const partChars = 256;

/** One call of a function, as far as it was streamed. */
export class GeminiCall {
  readonly callId: string;
  /** The vendor's own id. */
  readonly id: string | undefined;
  readonly name: string;
  signature: string | undefined;
  readonly #partial = new PartialArgs();
  #whole: JsonObject | undefined;

  constructor(callId: string, id: string | undefined, name: string) {
    this.callId = callId;
    this.id = id;
    this.name = name;
  }

  /** Returns its size against the bound. */
  add(given: JsonObject): number {
    const { args, partialArgs } = given;
    const before = this.#partial.containers;
    if (isObject(args)) this.#whole = args;
    for (const piece of objectsIn(partialArgs)) this.#partial.add(piece);
    return jsonChars(given) + partChars * (this.#partial.containers - before);
  }

  /** The call with its arguments as JSON. */
  whole(): FunctionCall {
    const { callId, name } = this;
    return { callId, name, arguments: JSON.stringify(this.#whole ?? this.#partial.value) };
  }
}

/** Characters that an id of a call may have at every vendor. */
const notOfIds = /[^\w-]/g;
const maxPrefixChars = 40;

/**
 * Joins the pieces of function calls. A call comes whole in one part, or its name comes first, then arguments by their paths, and an empty
 * part as its end. Calls do not mix, so a part without a name belongs to the call before it.
 */
export class GeminiCalls {
  #count = 0;
  #open: GeminiCall | undefined;
  /** Characters of names and arguments, against a bound. */
  chars = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Accepts the `functionCall` of a part. Returns the call that begins with it, if one does. */
  accept(piece: JsonObject, responseId: string): GeminiCall | undefined {
    const { id, name, willContinue } = piece;
    const begun = typeof name === "string" && name !== "" ? this.#begin(id, name, responseId) : undefined;
    const call = begun ?? this.#open;
    if (call === undefined)
      throw new TroupeError("upstream_invalid", { cause: new Error("A function call has no name.") });
    this.chars += call.add(piece);
    this.#open = willContinue === true ? call : undefined;
    return begun;
  }

  /** Many answers give no ids. Ours are made of the answer's id, so that they differ in all turns of a conversation. */
  #begin(id: unknown, name: string, responseId: string): GeminiCall {
    const given = typeof id === "string" && id !== "" ? id : undefined;
    const prefix = responseId.replaceAll(notOfIds, "_").slice(0, maxPrefixChars);
    const callId = given ?? `call_${prefix === "" ? "" : `${prefix}_`}${this.#count}`;
    this.#count += 1;
    this.chars += partChars;
    return new GeminiCall(callId, given, name);
  }
}

/** The event for a call that begins. */
export function beginEvent({ callId, name }: GeminiCall): ProviderEvent {
  return callEvent({ callId, name, arguments: "" }, "in_progress");
}

/** Lists and objects inside each other in the arguments of a call. */
const maxDepth = 64;

/** A step of a path: `.name`, `['name']`, `["name"]` or `[0]`. */
const step = /\.([^.[\]'"]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]/y;

/**
 * The arguments of a call that come in pieces, each a value at a JSON path such as `$.stops[0].city`. A text may come in several pieces.
 * A path that does not extend the value so far throws `upstream_invalid`: an index far from the end of its list would cost any memory.
 */
class PartialArgs {
  /** Made without a prototype, so that no name of an argument means anything. */
  readonly value = createObject();
  /** Lists and objects that were made. */
  containers = 0;
  /** The path whose text goes on. */
  #openPath: string | undefined;

  add(piece: JsonObject): void {
    const { jsonPath, stringValue, numberValue, boolValue } = piece;
    if (typeof jsonPath !== "string") return;
    const goesOn = this.#openPath === jsonPath;
    this.#openPath = piece.willContinue === true ? jsonPath : undefined;
    const value = stringValue ?? numberValue ?? boolValue ?? null;
    this.#set(stepsOf(jsonPath), (earlier) =>
      goesOn && typeof earlier === "string" && typeof value === "string" ? earlier + value : value,
    );
  }

  #set(steps: readonly (string | number)[], change: (earlier: JsonValue | undefined) => JsonValue): void {
    let place: JsonValue = this.value;
    for (const [depth, name] of steps.entries()) {
      const next = steps[depth + 1];
      const earlier = read(place, name);
      const value = next === undefined ? change(earlier) : (earlier ?? this.#create(next));
      write(place, name, value);
      place = value;
    }
  }

  #create(next: string | number): JsonValue {
    this.containers += 1;
    return typeof next === "number" ? [] : createObject();
  }
}

function createObject(): JsonObject {
  return Object.create(null);
}

function stepsOf(path: string): (string | number)[] {
  const steps: (string | number)[] = [];
  step.lastIndex = path.startsWith("$") ? 1 : 0;
  while (step.lastIndex < path.length) {
    const [, name, index, single, double] = step.exec(path) ?? invalid(path);
    const quoted = (single ?? double)?.replaceAll(/\\(.)/g, "$1");
    steps.push(index === undefined ? (name ?? quoted ?? "") : Number(index));
  }
  return steps.length > 0 && steps.length <= maxDepth ? steps : invalid(path);
}

function read(place: JsonValue, name: string | number): JsonValue | undefined {
  if (Array.isArray(place) && typeof name === "number" && name <= place.length) return place[name];
  return isObject(place) && typeof name === "string" ? place[name] : invalid(String(name));
}

function write(place: JsonValue, name: string | number, value: JsonValue): void {
  if (Array.isArray(place) && typeof name === "number") place[name] = value;
  else if (isObject(place)) place[name] = value;
}

function invalid(path: string): never {
  throw new TroupeError("upstream_invalid", { cause: new Error(`An argument is at no place: ${path}`) });
}
