import { createHash } from "node:crypto";
import type { Clock } from "../../ports/clock.ts";
import { textsOfItems } from "../../ports/item.ts";
import type { Provider, ProviderEvent, ProviderRequest, Usage } from "../../ports/provider.ts";
import { type DemoProgress, demoResponse } from "./demo-response.ts";
import { writeScript } from "./script.ts";

interface DemoProviderOptions {
  readonly clock: Clock;
  /** Time between two words, in milliseconds. Default 30, a brisk reading pace; 0 sends the whole text at once. */
  readonly tokenIntervalMs?: number;
  /** Time before the first words, and for the simulated tool, in milliseconds. Default 250. */
  readonly firstTokenMs?: number;
}

/**
 * Creates the provider `demo`, which answers when no real model is configured. Its texts are scripted and say so; the
 * built-in personas each have their own. The same request always gets the same text.
 *
 * One word counts as one token, for `maxOutputTokens` and for the usage, which is therefore `estimated`. The model is
 * always `demo`, even if another was requested. A tool is acted out once and labelled simulated; a reasoning summary is
 * scripted like the text and not counted. `end` carries a response object except when a built-in persona speaks. It
 * throws only the reason of an aborted signal.
 */
export function createDemoProvider(options: DemoProviderOptions): Provider {
  const { clock, tokenIntervalMs = 30, firstTokenMs = 250 } = options;

  async function pause(ms: number, signal: AbortSignal): Promise<void> {
    await clock.sleep(ms, signal);
    signal.throwIfAborted();
  }

  /** Yields words at their pace. As with a real sender, words that fell due while the stream was not read come in one batch. */
  async function* inTime(words: readonly string[], type: "text" | "reasoning", signal: AbortSignal) {
    const startMs = clock.now();
    let sent = 0;
    while (sent < words.length) {
      signal.throwIfAborted();
      const waitMs = startMs + sent * tokenIntervalMs - clock.now();
      if (waitMs > 0) await pause(waitMs, signal);
      const due = tokenIntervalMs > 0 ? Math.floor((clock.now() - startMs) / tokenIntervalMs) + 1 : Infinity;
      const batch = words.slice(sent, Math.max(due, sent + 1));
      sent += batch.length;
      yield batch.map((text): ProviderEvent => ({ type, text }));
    }
  }

  async function* stream(request: ProviderRequest, { signal }: { readonly signal: AbortSignal }) {
    signal.throwIfAborted();
    const script = writeScript(request);
    const hash = hashOf(request, clock.newId());
    const createdAtSeconds = Math.floor(clock.wallTimeMs() / 1000);
    const response = (progress: DemoProgress) =>
      script.isPersona ? {} : { response: demoResponse(request, hash, createdAtSeconds, progress) };

    yield one({ type: "started", ...response({ status: "in_progress", text: "" }) });
    await pause(firstTokenMs, signal);

    const reasoning = request.includeReasoning ? { reasoning: script.reasoning } : {};
    if (reasoning.reasoning !== undefined) yield* inTime(wordsOf(reasoning.reasoning), "reasoning", signal);

    if (script.tool !== undefined) {
      signal.throwIfAborted();
      const call = { type: "tool", tool: script.tool, callId: `call_demo_${hash}` } as const;
      yield one({ ...call, status: "started", payload: { simulated: true } });
      await pause(firstTokenMs, signal);
      yield one({ ...call, status: "completed", payload: { simulated: true } });
    }

    const allWords = wordsOf(script.text);
    const words = allWords.slice(0, request.maxOutputTokens);
    yield* inTime(words, "text", signal);

    signal.throwIfAborted();
    const isCut = words.length < allWords.length;
    const usage = usageOf(request, words.length);
    const status = isCut ? "incomplete" : "completed";
    yield one({
      type: "end",
      finishReason: isCut ? "length" : "stop",
      model: "demo",
      usage,
      ...response({ status, text: words.join(""), usage, ...reasoning }),
    });
  }

  return { name: "demo", simulated: true, stream };
}

/** A batch of one event. */
function one(event: ProviderEvent): ProviderEvent[] {
  return [event];
}

/** Splits a text before the white space of each word, so that the pieces joined are the text again. */
function wordsOf(text: string): string[] {
  return text.match(/\s*\S+/gu) ?? [];
}

function usageOf(request: ProviderRequest, outputTokens: number): Usage {
  const texts = [request.instructions ?? "", ...textsOfItems(request.input)];
  const inputTokens = texts.reduce((sum, text) => sum + wordsOf(text).length, 0);
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, estimated: true };
}

/** 32 hexadecimal digits that differ for every answer, even for another caller's answer to the same request. */
function hashOf(request: ProviderRequest, callId: string): string {
  return createHash("sha256")
    .update(JSON.stringify([request, callId]))
    .digest("hex")
    .slice(0, 32);
}
