import { type Item, textMessage } from "../../ports/item.ts";
import type { JsonObject } from "../../ports/json.ts";
import type { FunctionCall } from "../upstream/response-object.ts";
import { GeminiCall, GeminiCalls, partChars } from "./gemini-calls.ts";
import { withPartState } from "./part-state.ts";

/** Max characters of an answer that are held for its items and its response object. */
export const maxHeldChars = 16 * 1024 * 1024;

/** A text of the answer between two calls, or reasoning up to a signature. */
interface Passage {
  readonly kind: "text" | "reasoning";
  text: string;
  signature: string | undefined;
}

/** The parts of an answer in their order, as far as they have come. Texts beyond the bound are not held. */
export class AnswerParts {
  reasoning = "";
  readonly #parts: (Passage | GeminiCall)[] = [];
  readonly #calls = new GeminiCalls();
  /** Reasoning before this place is signed. */
  #signedTo = 0;
  /** Characters of texts and signatures. */
  #chars = 0;

  get chars(): number {
    return this.#chars + this.#calls.chars;
  }

  get hasCalls(): boolean {
    return !this.#calls.isEmpty;
  }

  get text(): string {
    return this.#parts
      .map((part) => (part instanceof GeminiCall || part.kind === "reasoning" ? "" : part.text))
      .join("");
  }

  /** Adds to the text that goes on. An empty text may bring the signature of the text before it. */
  addText(more: string, signature?: string): void {
    const passage = this.#passage();
    if (signature !== undefined) passage.signature = signature;
    if (this.#count(more, signature)) passage.text += more;
  }

  addReasoning(more: string, signature?: string): void {
    if (this.#count(more, signature)) this.reasoning += more;
    if (signature === undefined) return;
    this.#chars += partChars;
    this.#parts.push({ kind: "reasoning", text: this.reasoning.slice(this.#signedTo), signature });
    this.#signedTo = this.reasoning.length;
  }

  /** Accepts a `functionCall`. Returns the call that begins with it, if one does. */
  addCall(piece: JsonObject, responseId: string, signature: string | undefined): GeminiCall | undefined {
    const call = this.#calls.accept(piece, responseId);
    if (call === undefined) return undefined;
    this.#count("", signature);
    call.signature = signature;
    this.#parts.push(call);
    return call;
  }

  calls(): FunctionCall[] {
    return this.#parts.flatMap((part) => (part instanceof GeminiCall ? [part.whole()] : []));
  }

  /** The parts as items. Their signatures and ids go back only to this origin. */
  items(origin: string): Item[] {
    return this.#parts.flatMap((part) => itemOf(part, origin));
  }

  #passage(): Passage {
    const last = this.#parts.at(-1);
    if (last !== undefined && !(last instanceof GeminiCall) && last.kind === "text") return last;
    const begun: Passage = { kind: "text", text: "", signature: undefined };
    this.#parts.push(begun);
    this.#chars += partChars;
    return begun;
  }

  /** Returns whether there is room for the text. */
  #count(more: string, signature = ""): boolean {
    this.#chars += more.length + signature.length;
    return this.#chars <= maxHeldChars;
  }
}

function itemOf(part: Passage | GeminiCall, origin: string): Item[] {
  const { signature } = part;
  const id = part instanceof GeminiCall ? part.id : undefined;
  const state = withPartState(origin, {
    ...(signature === undefined ? {} : { signature }),
    ...(id === undefined ? {} : { id }),
  });
  if (part instanceof GeminiCall) return [{ type: "tool-call", ...part.whole(), ...state }];
  if (part.kind === "reasoning") return [{ type: "reasoning", text: part.text, ...state }];
  return part.text === "" ? [] : [{ ...textMessage("assistant", part.text), ...state }];
}
