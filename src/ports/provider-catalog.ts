import type { Provider } from "./provider.ts";

/** The provider that answers an `api`, and the model it will be asked for. */
export interface ProviderChoice {
  readonly provider: Provider;
  readonly api: string;
  readonly model: string;
}

/**
 * Which providers this server has.
 *
 * `choose` throws `provider_not_configured`, naming what to set, where no provider answers that `api`.
 */
export interface ProviderCatalog {
  choose(api: string, model: string | undefined): ProviderChoice;
}
