import type { ProviderRequest, Usage } from "../ports/provider.ts";

/** English text averages about four characters a token (OpenAI's own rule of thumb for its tokenizers). */
const bytesPerToken = 4;

/**
 * How many tokens a text of so many bytes probably has. Bytes of UTF-8, not characters: scripts whose letters take more bytes
 * take more tokens as well.
 */
export function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / bytesPerToken);
}

/** What a call probably sends: everything in it that a model reads. */
export function estimateInput({
  instructions = "",
  messages,
  tools = [],
  options = {},
}: ProviderRequest): number {
  const parameters = [...tools, ...Object.values(options)].map((value) => JSON.stringify(value) ?? "");
  const texts = [instructions, ...messages.map(({ text }) => text), ...parameters];
  return estimateTokens(texts.reduce((sum, text) => sum + utf8Bytes(text), 0));
}

/** The sum of several calls; estimated as soon as one of them is. */
export function sumUsage(usages: readonly (Usage | undefined)[]): Usage | undefined {
  const known = usages.filter((usage) => usage !== undefined);
  if (known.length === 0) return undefined;
  return known.reduce((sum, usage) => ({
    inputTokens: sum.inputTokens + usage.inputTokens,
    outputTokens: sum.outputTokens + usage.outputTokens,
    totalTokens: sum.totalTokens + usage.totalTokens,
    estimated: sum.estimated || usage.estimated,
  }));
}

/** The length of a text in UTF-8; each half of a surrogate pair counts two, which together is what the pair takes. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x80) continue;
    bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}
