import { isObject, type JsonObject, jsonChars, objectsIn } from "../../ports/json.ts";
import type { ProviderEvent } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { callEvent, type FunctionCall } from "../upstream/response-object.ts";
import { PartialArgs } from "./partial-args.ts";

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
