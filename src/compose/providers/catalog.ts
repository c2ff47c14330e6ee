import type { ModelList } from "../../adapters/upstream/list-models.ts";
import type { Provider } from "../../ports/provider.ts";
import type { ListedApi, ProviderCatalog, ProviderChoice } from "../../ports/provider-catalog.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { defaultSettings, type Settings } from "../settings.ts";
import { type Chains, fallbacksOf, type NamedLink } from "./chains.ts";
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
