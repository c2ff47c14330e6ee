import type { AnswerMachine, OpenText } from "../../../src/adapters/upstream/answer-machine.ts";
import { AnswerStream, type AnswerStreamOptions } from "../../../src/adapters/upstream/answer-stream.ts";
import { type DeltaKind, EventFormat } from "../../../src/adapters/upstream/event-format.ts";
import {
  notAStream,
  parseEvent,
  parseJson,
  type StreamEvent,
} from "../../../src/adapters/upstream/event-stream-parser.ts";
import {
  fromConnectionError,
  fromRefusal,
  type VendorNames,
} from "../../../src/adapters/upstream/http-fault.ts";
import { createSecretMask } from "../../../src/adapters/upstream/secret-mask.ts";
import { fromStreamError } from "../../../src/adapters/upstream/stream-error.ts";
import { textMessages, textsOfItems } from "../../../src/ports/item.ts";
import { isObject, type JsonObject } from "../../../src/ports/json.ts";
import type { FinishReason, Provider, ProviderEvent, ProviderRequest } from "../../../src/ports/provider.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";

type Shared = Pick<AnswerStreamOptions, "agents" | "clock" | "firstByteMs" | "idleMs">;

const place = "delta.message.content";
const format = new EventFormat({ text: [`${place}.text`], reasoning: [`${place}.thinking`] }, /"delta"/);
const names: VendorNames = {
  codes: new Map(),
  parameters: new Set(["messages", "model", "temperature", "max_tokens"]),
};
const finishReasons: Readonly<Record<string, FinishReason>> = { MAX_TOKENS: "length" };

/** An example: a provider for the chat API of Cohere (version 2), without tools. */
export function createCohereProvider(options: Shared & { apiKey: string; baseUrl: string }): Provider {
  const { apiKey, baseUrl, clock, agents } = options;
  const mask = createSecretMask(apiKey, ...agents.secrets);
  const requestHeaders = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  return {
    name: "cohere",
    simulated: false,
    stream(request, { signal }) {
      const texts = () => [request.instructions ?? "", ...textsOfItems(request.input)];
      return new AnswerStream({
        ...options,
        signal,
        machine: new CohereMachine(request),
        async open(fetch) {
          const body = JSON.stringify(bodyOf(request));
          const answer = await fetch(`${baseUrl}/chat`, { method: "POST", headers: requestHeaders, body });
          if (answer.ok) return answer;
          const error = parseJson(await answer.text());
          const message = isObject(error) ? String(error.message) : "no message";
          const { status, headers } = answer;
          const refusal = { status, headers, message, error, cause: new Error(message) };
          throw fromRefusal(refusal, names, clock.wallTimeMs());
        },
        fromOpenFault: (thrown) => (thrown instanceof TroupeError ? thrown : fromConnectionError(thrown)),
        toError: (thrown) => mask.error(TroupeError.from(thrown), texts),
      });
    },
  };
}

function bodyOf({ model, instructions, input, temperature, maxOutputTokens }: ProviderRequest): object {
  const system = instructions === undefined ? [] : [{ role: "system", content: instructions }];
  const rest = textMessages(input).map(({ role, text }) => ({ role, content: text }));
  const limits = { temperature, max_tokens: maxOutputTokens };
  return { model, stream: true, messages: [...system, ...rest], ...limits };
}

/** `message-start`, `content-delta` and the like, up to `message-end`. */
class CohereMachine implements AnswerMachine {
  readonly format = format;
  silent = true;
  ended = false;
  openText: OpenText | undefined;
  readonly #request: ProviderRequest;

  constructor(request: ProviderRequest) {
    this.#request = request;
  }

  accept({ data }: StreamEvent): ProviderEvent[] {
    this.openText = undefined;
    if (this.ended) return [];
    const { type, delta, ...event } = parseEvent(data);
    const inner = isObject(delta) ? delta : {};
    this.silent = false;
    if (type === "message-start") return [{ type: "started" }];
    if (type === "message-end") return this.#end(inner);
    if (type === undefined) throw fromStreamError(event, names);
    if (type !== "content-delta") return [];
    const content = isObject(inner.message) && isObject(inner.message.content) ? inner.message.content : {};
    const kind: DeltaKind = typeof content.thinking === "string" ? "reasoning" : "text";
    const isShown = kind === "text" || this.#request.includeReasoning === true;
    const text = String(content.thinking ?? content.text ?? "");
    this.openText = { kind, isLoose: false, isShown, append: () => undefined };
    return isShown && text !== "" ? [{ type: kind, text }] : [];
  }

  acceptWhole(body: string): ProviderEvent[] {
    const error = parseJson(body);
    throw isObject(error) && "message" in error ? fromStreamError(error, names) : notAStream();
  }

  finish(): ProviderEvent[] {
    if (!this.ended) throw new TroupeError(this.silent ? "upstream_empty" : "upstream_truncated");
    return [];
  }

  #end({ finish_reason: reason, usage }: JsonObject): ProviderEvent[] {
    if (reason === "ERROR" || reason === "TIMEOUT") throw fromStreamError({ code: "server_error" }, names);
    this.ended = true;
    const tokens = isObject(usage) && isObject(usage.tokens) ? usage.tokens : {};
    const [inputTokens, outputTokens] = [Number(tokens.input_tokens), Number(tokens.output_tokens)];
    const told = { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, estimated: false };
    const finishReason = finishReasons[String(reason)] ?? "stop";
    return [{ type: "end", finishReason, model: this.#request.model, usage: told }];
  }
}
