import type { Provider } from "./provider.ts";

/** The provider that answers an `api`, and the model to ask it for. */
export interface ProviderChoice {
  readonly provider: Provider;
  readonly api: string;
  readonly model: string;
  /**
   * The links that answer in its place, in this order, if a call fails before anything of it was shown and another place may help.
   * Default: none.
   */
  readonly fallbacks?: readonly FallbackLink[];
}

/** A link of a chain after the first one. */
export interface FallbackLink extends Omit<ProviderChoice, "fallbacks"> {
  /** It reads longer texts than the first link, so it is also asked after `context_length_exceeded`. Default false. */
  readonly hasLargerContext?: boolean;
}

/**
 * The providers of this server.
 *
 * `choose` throws `provider_not_configured` if no provider answers that `api`, and names the setting to change.
 */
export interface ProviderCatalog {
  choose(api: string, model: string | undefined): ProviderChoice;
  /** The `api` of a request that names none. Default: always `openai`. */
  apiFor?(model: string | undefined): string;
  /**
   * The vendor whose published prices the calls of an `api` cost, such as `openai`, `anthropic` or `gemini`. Default: no published price
   * is known.
   */
  vendorOf?(api: string): string | undefined;
  /**
   * Every `api` with its models. Old lists are asked for again, which takes seconds at most. Never rejects. Default: nothing is
   * listed.
   */
  list?(): Promise<readonly ListedApi[]>;
}

/** One `api` with its models, for callers: without addresses and keys. */
export interface ListedApi {
  readonly api: string;
  /** It answers requests that name no `api`. */
  readonly isDefault: boolean;
  /** The operator named it in a setting or in the config file. */
  readonly isConfigured: boolean;
  /** A script answers instead of a model. */
  readonly simulated: boolean;
  /** Whether it answered when it was last asked for its models; `undefined` if it has not been asked yet. */
  readonly isReachable: boolean | undefined;
  /** Why there is no list of its models: the end of a sentence that starts with its name. */
  readonly problem?: string;
  /** The model of requests that name none. */
  readonly defaultModel?: string;
  /** At most 1,000. */
  readonly models: readonly { readonly id: string; readonly isListed: boolean }[];
}
