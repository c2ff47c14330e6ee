import type { AnswerMachine, OpenText } from "../../../src/adapters/upstream/answer-machine.ts";
import { type DeltaKind, EventFormat } from "../../../src/adapters/upstream/event-format.ts";
import { parseEvent, type StreamEvent } from "../../../src/adapters/upstream/event-stream-parser.ts";
import type { JsonObject } from "../../../src/ports/json.ts";
import type { ProviderEvent } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";

/** A vendor's format, as far as the scan needs it. */
export interface VendorFormat {
  readonly format: EventFormat;
  /** Names whose values the scan may leave unread. */
  readonly ignored: ReadonlySet<string>;
  /** The text that an event extends, if it does nothing else. */
  deltaIn(event: JsonObject): { readonly kind: DeltaKind; readonly text: string } | undefined;
  isEnd(event: JsonObject): boolean;
}

/** A value at a path of names and indexes; `undefined` if there is none. */
function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, name) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, name) : undefined),
    value,
  );
}

function deltaOf(kind: DeltaKind, text: unknown) {
  return typeof text === "string" ? { kind, text } : undefined;
}

export const chatFormat: VendorFormat = {
  format: new EventFormat(
    {
      text: ["choices.0.delta.content"],
      reasoning: ["choices.0.delta.reasoning_content", "choices.0.delta.reasoning"],
      ignored: ["obfuscation"],
    },
    /"choices"|"error"/,
  ),
  ignored: new Set(["obfuscation"]),
  deltaIn(event) {
    const choice = at(event, "choices", 0);
    if (at(choice, "finish_reason") || event.usage) return undefined;
    const [content, ...thoughts] = ["content", "reasoning_content", "reasoning"].map((name) =>
      at(choice, "delta", name),
    );
    const thought = thoughts.filter((text) => typeof text === "string" && text !== "");
    if (thought.length > 1 || (content && thought.length > 0)) return undefined;
    return content ? deltaOf("text", content) : deltaOf("reasoning", thought[0] ?? "");
  },
  isEnd: () => false,
};

export const messagesFormat: VendorFormat = {
  format: new EventFormat({ text: ["delta.text"], reasoning: ["delta.thinking"] }, /"(content_block|delta)"/),
  ignored: new Set(),
  deltaIn({ type, delta }) {
    if (type !== "content_block_delta") return undefined;
    if (at(delta, "type") === "text_delta") return deltaOf("text", at(delta, "text"));
    return at(delta, "type") === "thinking_delta" ? deltaOf("reasoning", at(delta, "thinking")) : undefined;
  },
  isEnd: ({ type }) => type === "message_stop",
};

const counts = ["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"];
const geminiText = ["candidates.0.content.parts.0.text"];

export const geminiFormat: VendorFormat = {
  format: new EventFormat(
    { text: geminiText, reasoning: geminiText, ignored: counts.map((name) => `usageMetadata.${name}`) },
    /"candidates"|"error"/,
  ),
  ignored: new Set(counts),
  deltaIn(event) {
    const candidate = at(event, "candidates", 0);
    const parts = at(candidate, "content", "parts");
    if (!Array.isArray(parts) || parts.length !== 1 || at(candidate, "finishReason")) return undefined;
    return deltaOf(at(parts, 0, "thought") === true ? "reasoning" : "text", at(parts, 0, "text"));
  },
  isEnd: () => false,
};

/**
 * A machine that notes to which kind of event each text belonged. It is stricter than any vendor's machine: it finds every field in which
 * an event differs from the one that the scan takes it for.
 */
export class NotingMachine implements AnswerMachine {
  readonly format: EventFormat;
  silent = true;
  ended = false;
  openText: OpenText | undefined;
  /** The texts by the rest of their events. */
  readonly notes = new Map<string, string>();
  readonly #vendor: VendorFormat;

  constructor(vendor: VendorFormat) {
    this.#vendor = vendor;
    this.format = vendor.format;
  }

  accept({ name, data }: StreamEvent): ProviderEvent[] {
    this.openText = undefined;
    if (this.ended) return [];
    this.silent = false;
    if (name === "error") throw new TroupeError("upstream_error");
    if (data.trim() === "[DONE]") return this.#end();
    const event = parseEvent(data);
    if (this.#vendor.isEnd(event)) return this.#end();
    const delta = this.#vendor.deltaIn(event);
    if (delta === undefined)
      return [{ type: "tool", tool: "other", status: "seen", callId: "", payload: event }];
    if (delta.text === "") return [];
    const { kind, text } = delta;
    const rest = JSON.stringify(event, (field, value: unknown) => {
      const isHole = typeof value === "string" || (Number.isInteger(value) && Number(value) >= 0);
      return value === text || (this.#vendor.ignored.has(field) && isHole) ? null : value;
    });
    const append = (more: string): void => {
      this.notes.set(rest, (this.notes.get(rest) ?? "") + more);
    };
    append(text);
    this.openText = { kind, isLoose: false, isShown: true, append };
    return [{ type: kind, text }];
  }

  acceptWhole(): ProviderEvent[] {
    throw new TroupeError("upstream_invalid");
  }

  finish(): ProviderEvent[] {
    return [];
  }

  #end(): ProviderEvent[] {
    this.ended = true;
    return [{ type: "end", finishReason: "stop", model: "m" }];
  }
}
