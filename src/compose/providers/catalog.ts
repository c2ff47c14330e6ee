import type { ModelList } from "../../adapters/upstream/list-models.ts";
import type {
  FallbackLink,
  ListedApi,
  Provider,
  ProviderCatalog,
  ProviderChoice,
} from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { TroupeConfig } from "../config-file.ts";
import { nearestName } from "../nearest-name.ts";
import { defaultSettings, SettingError, type Settings } from "../settings.ts";
import { namedModel, variableOf } from "./endpoints.ts";
import type { ModelLists } from "./model-lists.ts";
import type { Endpoint } from "./open-endpoint.ts";
import { vendors } from "./vendors.ts";

/** An endpoint with its provider. */
export interface OpenedEndpoint {
  readonly endpoint: Endpoint;
  readonly provider: Provider;
}

interface CatalogOptions {
  /** The first one answers requests that name none. */
  readonly opened: readonly [OpenedEndpoint, ...OpenedEndpoint[]];
  readonly lists: ModelLists;
  readonly settings: Settings;
  /** Default: no endpoint answers for another one. */
  readonly chains?: Chains;
}

interface EndpointCatalog
  extends Required<Omit<ProviderCatalog, "vendorOf">>,
    Pick<ProviderCatalog, "vendorOf"> {
  /** The model of requests that name neither an `api` nor a model; `undefined` as long as no server has told one. */
  readonly model: string | undefined;
}

const maxModels = 1_000;

/** Several endpoints as one catalog: `api` names one of them, or a model that only one of them has. */
export function createCatalog({
  opened,
  lists,
  settings,
  chains = new Map(),
}: CatalogOptions): EndpointCatalog {
  const [first] = opened;
  const byName = new Map(opened.map((one) => [one.endpoint.name, one]));
  /** TROUPE_MODEL is for the endpoint that has this model, which need not be the first one. */
  const named = namedModel(settings);
  const openaiModel = defaultSettings().model;
  /** The models that endpoints were given by their lists. They stay as long as they are listed. */
  const chosen = new Map<string, string>();
  const joined = new Map<
    Endpoint,
    { readonly list: ModelList | undefined; readonly models: readonly string[] }
  >();

  const only = (found: readonly OpenedEndpoint[]) => (found.length === 1 ? found[0] : undefined);
  const ownerOf = (model: string) =>
    only(opened.filter(({ endpoint }) => modelsOf(endpoint).includes(model))) ?? first;

  /** Kept until the endpoint tells another list: every request may look through hundreds of models. */
  function modelsOf(endpoint: Endpoint): readonly string[] {
    const list = lists.known(endpoint);
    const last = joined.get(endpoint);
    if (last !== undefined && last.list === list) return last.models;
    const own = endpoint.model === undefined ? [] : [endpoint.model];
    const models = [...new Set([...own, ...endpoint.models, ...namesIn(list)])];
    joined.set(endpoint, { list, models });
    return models;
  }

  function defaultModelOf(endpoint: Endpoint): string | undefined {
    if (endpoint.model !== undefined) return endpoint.model;
    if (named !== undefined && ownerOf(named).endpoint === endpoint) return named;
    if (endpoint.name === "openai") return openaiModel;
    const models = modelsOf(endpoint);
    const before = chosen.get(endpoint.name);
    const model = before !== undefined && models.includes(before) ? before : models[0];
    if (model !== undefined) chosen.set(endpoint.name, model);
    return model;
  }

  /** A link may be left out because its server has told no models yet. */
  function linkFrom({ model: asked }: ProviderChoice) {
    return ({ api, model: named }: NamedLink): ProviderChoice | undefined => {
      const one = byName.get(api);
      if (one === undefined) return undefined;
      const hasAsked = modelsOf(one.endpoint).includes(asked);
      const model = named ?? (hasAsked ? asked : defaultModelOf(one.endpoint));
      return model === undefined ? undefined : { provider: one.provider, api, model };
    };
  }

  function withFallbacks(choice: ProviderChoice): ProviderChoice {
    const fallbacks = fallbacksOf(chains, choice, linkFrom(choice));
    return fallbacks.length === 0 ? choice : { ...choice, fallbacks };
  }

  function apiFor(model: string | undefined): string {
    const wanted = model ?? named;
    return (wanted === undefined ? first : ownerOf(wanted)).endpoint.name;
  }

  async function listed({ endpoint }: OpenedEndpoint): Promise<ListedApi> {
    const list = await lists.ask(endpoint);
    const defaultModel = defaultModelOf(endpoint);
    const names = namesIn(list);
    return {
      api: endpoint.name,
      isDefault: endpoint.name === apiFor(undefined),
      isConfigured: true,
      simulated: false,
      isReachable: "models" in list || list.isThere,
      ...("fault" in list ? { problem: list.fault } : {}),
      ...(defaultModel === undefined ? {} : { defaultModel }),
      models: [...new Set([...(defaultModel === undefined ? [] : [defaultModel]), ...modelsOf(endpoint)])]
        .slice(0, maxModels)
        .map((id) => ({ id, isListed: names.includes(id) })),
    };
  }

  return {
    choose(api, asked) {
      const one = byName.get(api);
      if (one === undefined) throw unknownApi(api, [...byName.keys()]);
      const model = asked ?? defaultModelOf(one.endpoint);
      if (model !== undefined) return withFallbacks({ provider: one.provider, api, model });
      // It could not be asked at the start; the next request may find its list.
      void lists.ask(one.endpoint);
      throw new TroupeError("provider_not_configured", {
        field: "data.model",
        detail: `"${api}" has not told its models yet: name one in the request, or in TROUPE_MODEL.`,
      });
    },
    apiFor,
    // Absent if none has published prices: then their list is not loaded.
    ...(opened.some(({ endpoint }) => endpoint.pricedAs !== undefined)
      ? { vendorOf: (api: string) => byName.get(api)?.endpoint.pricedAs }
      : {}),
    list: () => Promise.all(opened.map(listed)),
    get model() {
      return defaultModelOf(byName.get(apiFor(undefined))?.endpoint ?? first.endpoint);
    },
  };
}

function namesIn(list: ModelList | undefined): readonly string[] {
  return list !== undefined && "models" in list ? list.models : [];
}

/** The refusal of an `api` that is not there, with the names that are. */
function unknownApi(asked: string, names: readonly string[]): TroupeError {
  const there = names.map((name) => `"${name}"`).join(", ");
  const isPlain = names.length === 1 && names[0] === "openai";
  const key = Object.hasOwn(vendors, asked) ? vendors[asked]?.keys[0] : undefined;
  const how = key === undefined ? "" : ` "${asked}" needs ${variableOf(key)}.`;
  return new TroupeError("provider_not_configured", {
    field: "data.api",
    detail: `This server answers ${there} only${isPlain ? " (OPENAI_API_KEY, OPENAI_BASE_URL)" : ""}.${how}`,
  });
}

/** A link as the operator wrote it. Without a model it is asked for the same one if it has that, otherwise for its own. */
export interface NamedLink {
  readonly api: string;
  readonly model: string | undefined;
  readonly hasLargerContext: boolean;
}

/** The links after each `api`, or after one model of it (`api/model`). */
export type Chains = ReadonlyMap<string, readonly NamedLink[]>;

/**
 * The chains of the config file, and those of TROUPE_FALLBACK that it lacks. Throws a `SettingError` for a name that no endpoint can have,
 * and for a chain that comes to the same link twice.
 */
export function chainsOf(
  { fallback: named = [] }: Settings,
  { fallback = {}, providers = {} }: TroupeConfig = {},
): Chains {
  const known = [...Object.keys(providers), ...Object.keys(vendors)];
  const chains = new Map<string, readonly NamedLink[]>();
  for (const [first, ...rest] of named) if (first !== undefined) add("TROUPE_FALLBACK", first, rest);
  for (const [first, rest] of Object.entries(fallback)) add("fallback in the config file", first, rest);

  function add(where: string, first: string, rest: readonly ConfiguredLink[]): void {
    const links = rest.map(linkOf);
    const names = [linkOf(first), ...links];
    for (const { api } of names) if (!known.includes(api)) throw unknownName(where, api, known);
    const written = names.map(nameOf);
    const repeated = written.find((name, at) => written.indexOf(name) !== at);
    if (repeated !== undefined) throw new SettingError(`${where}: a chain comes to ${repeated} twice`);
    chains.set(first, links);
  }

  return chains;
}

type ConfiguredLink = string | { readonly to: string; readonly largerContext?: boolean };

/** Reads a link as it is written. An `api` has no slash, but a model may. */
export function linkOf(written: ConfiguredLink): NamedLink {
  const { to, largerContext = false } = typeof written === "string" ? { to: written } : written;
  const [, api = to, model] = /^([^/]*)\/(.*)$/s.exec(to) ?? [];
  return { api, model, hasLargerContext: largerContext };
}

/** A link as it is written. */
export function nameOf({ api, model }: Pick<NamedLink, "api" | "model">): string {
  return model === undefined ? api : `${api}/${model}`;
}

function unknownName(where: string, api: string, known: readonly string[]): SettingError {
  const near = nearestName(api, known, 2);
  const advice = near === undefined ? "" : `; did you mean ${near}?`;
  return new SettingError(`${where}: no endpoint has the name ${api.slice(0, 64)}${advice}`);
}

/** The endpoints in the chains. */
export function apisIn(chains: Chains): ReadonlySet<string> {
  return new Set([...chains].flatMap(([first, links]) => [linkOf(first), ...links].map(({ api }) => api)));
}

/** Warnings of links that cannot answer, because their endpoint has no key. */
export function uselessLinks(chains: Chains, names: readonly string[]): string[] {
  return [...apisIn(chains)]
    .filter((api) => !names.includes(api))
    .map(
      (api) => `"${api}" in a fallback is left out: no such endpoint is configured, and no key of it is set`,
    );
}

/** The links after a choice. `resolve` finds the choice of a link; `undefined` if it cannot answer now. */
function fallbacksOf(
  chains: Chains,
  choice: ProviderChoice,
  resolve: (link: NamedLink) => ProviderChoice | undefined,
): readonly FallbackLink[] {
  const links = chains.get(nameOf(choice)) ?? chains.get(choice.api) ?? [];
  return links.flatMap((link) => {
    const found = resolve(link);
    const isSame = found?.api === choice.api && found.model === choice.model;
    return found === undefined || isSame ? [] : [{ ...found, hasLargerContext: link.hasLargerContext }];
  });
}

/** Every model that the operator has named: in the settings, and in the endpoints, chains and prices of the config file. */
export function modelsNamedIn(settings: Settings, configuration: TroupeConfig = {}): ReadonlySet<string> {
  const { providers = {}, prices = {} } = configuration;
  const ofProviders = Object.values(providers).flatMap(({ model = [], models = [] }) =>
    [model, models].flat(),
  );
  const links = [...chainsOf(settings, configuration)].flatMap(([first, rest]) => [linkOf(first), ...rest]);
  // A price is of a model, or of an endpoint's model.
  const priced = Object.keys(prices).flatMap((name) => [name, linkOf(name).model ?? []].flat());
  return new Set([
    settings.model,
    ...settings.prices.map(({ model }) => model),
    ...ofProviders,
    ...links.flatMap(({ model }) => model ?? []),
    ...priced,
  ]);
}
