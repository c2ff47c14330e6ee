import type { Provider } from "./provider.ts";

/** The provider that answers an `api`, and the model to ask it for. */
export interface ProviderChoice {
  readonly provider: Provider;
  readonly api: string;
  readonly model: string;
}

/**
 * The providers of this server.
 *
 * `choose` throws `provider_not_configured` if no provider answers that `api`, and names the setting to change.
 */
export interface ProviderCatalog {
  choose(api: string, model: string | undefined): ProviderChoice;
}
