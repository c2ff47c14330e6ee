import type { ProviderRequest, Usage } from "../ports/provider.ts";

/** English text averages about four characters a token (OpenAI's own rule of thumb for its tokenizers). */
const charsPerToken = 4;

/** What a call probably used, where its provider could not say, counted from the characters and marked so. */
export function estimateUsage(request: ProviderRequest, shownText: string): Usage {
  const inputChars = request.messages.reduce(
    (sum, message) => sum + message.text.length,
    request.instructions?.length ?? 0,
  );
  const inputTokens = Math.ceil(inputChars / charsPerToken);
  const outputTokens = Math.ceil(shownText.length / charsPerToken);
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, estimated: true };
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
