import type { Item, ProviderState } from "../../ports/item.ts";
import { ownState } from "../upstream/sent-items.ts";

/** The name of the provider, which marks its state in items. */
export const geminiName = "gemini";

/** The vendor's words about one part of an answer, which go back with it. */
export interface PartState {
  /** Signs the reasoning before the part. */
  readonly signature?: string;
  /** The vendor's own id of a call. */
  readonly id?: string;
}

/** The state of an item, if this origin made it; otherwise nothing. `origin`: the account and model. */
export function partStateOf(item: Item, origin: string): PartState {
  const { signature, id } = ownState(item, geminiName, origin) ?? {};
  return {
    ...(typeof signature === "string" ? { signature } : {}),
    ...(typeof id === "string" ? { id } : {}),
  };
}

/** The same for an item that is made of an answer. */
export function withPartState(origin: string, state: PartState): { readonly providerState?: ProviderState } {
  if (state.signature === undefined && state.id === undefined) return {};
  return { providerState: { provider: geminiName, state: { origin, ...state } } };
}
