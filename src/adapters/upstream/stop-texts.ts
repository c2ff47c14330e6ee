import type { ProviderRequest } from "../../ports/provider.ts";

/** The texts at which an answer is to end; `undefined` if it ends by itself. A door has made a list of them. */
export function stopTexts({ options = {} }: ProviderRequest): string[] | undefined {
  const { stop } = options;
  return Array.isArray(stop) ? stop.filter((text) => typeof text === "string") : undefined;
}
