import type { Item, ProviderState } from "../../ports/item.ts";

/** The name of the provider, which marks its state in items. */
export const geminiName = "gemini";

/** The vendor's words about one part of an answer, which go back with it. */
export interface OwnState {
  /** Signs the reasoning before the part. */
  readonly signature?: string;
  /** The vendor's own id of a call. */
  readonly id?: string;
}

/** The state of an item, if this origin made it; otherwise nothing. `origin`: the account and model. */
export function ownStateOf({ providerState }: Item, origin: string): OwnState {
  const state = providerState?.provider === geminiName ? providerState.state : {};
  if (state.origin !== origin) return {};
  const { signature, id } = state;
  return {
    ...(typeof signature === "string" ? { signature } : {}),
    ...(typeof id === "string" ? { id } : {}),
  };
}

/** The same for an item that is made of an answer. */
export function withOwnState(origin: string, own: OwnState): { readonly providerState?: ProviderState } {
  if (own.signature === undefined && own.id === undefined) return {};
  return { providerState: { provider: geminiName, state: { origin, ...own } } };
}
