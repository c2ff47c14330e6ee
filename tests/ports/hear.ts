import type { ProviderEnd, ProviderEvent, ProviderRequest } from "../../src/ports/provider.ts";
import type { UpstreamProviderUnderTest } from "./provider-contract.ts";

/** A call as far as it came. */
export interface Heard {
  readonly events: readonly ProviderEvent[];
  readonly text: string;
  readonly reasoning: string;
  readonly end: ProviderEnd | undefined;
  readonly thrown: unknown;
}

/** Reads a call to its end. */
export async function hear(
  { provider, request }: UpstreamProviderUnderTest,
  changes: Partial<ProviderRequest> = {},
): Promise<Heard> {
  const events: ProviderEvent[] = [];
  let thrown: unknown;
  try {
    const call = { signal: new AbortController().signal };
    for await (const batch of provider.stream({ ...request, ...changes }, call)) events.push(...batch);
  } catch (error) {
    thrown = error;
  }
  const joined = (type: "text" | "reasoning") =>
    events.map((event) => (event.type === type ? event.text : "")).join("");
  const end = events.find((event) => event.type === "end");
  return { events, text: joined("text"), reasoning: joined("reasoning"), end, thrown };
}
