import { createDemoProvider } from "../adapters/demo/demo-provider.ts";
import { type CircuitChange, Circuits } from "../adapters/upstream/circuits.ts";
import { guardProvider } from "../adapters/upstream/guarded-provider.ts";
import type { Observer } from "../ports/observer.ts";
import type { Provider, ProviderCatalog } from "../ports/provider.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { TroupeConfig } from "./config-file.ts";
import { type LocalServer, lookForServer, type UnusableServer, waitForServer } from "./local-server.ts";
import { apisIn, chainsOf, createCatalog, type OpenedEndpoint, uselessLinks } from "./providers/catalog.ts";
import { endpointsOf, foundEndpoint } from "./providers/endpoints.ts";
import { createModelLists } from "./providers/model-lists.ts";
import { type Endpoint, type EndpointDependencies, openEndpoint } from "./providers/open-endpoint.ts";
import { defaultSettings, type Settings } from "./settings.ts";

interface ProviderDependencies extends EndpointDependencies {
  /** The content of the config file. */
  readonly configuration?: TroupeConfig | undefined;
  /** Is told of this process's own breakers, also in a worker. */
  readonly ownObserver: Observer;
  /** The application's own providers, which replace those of the settings. */
  readonly own?: ProviderCatalog | undefined;
}

/** A catalog and its description. */
interface Answering extends ProviderCatalog {
  readonly simulated: boolean;
  /** Whether calls cost nothing. */
  readonly isFree: boolean;
  /** The model of requests that name none; `undefined` if an application has not told it. */
  readonly model: string | undefined;
  /** One line that names the provider. */
  readonly summary: string;
}

/** The providers of this server. They change once, if a local server is found after the start. */
export interface ChosenProviders extends Answering, Disposable {
  /** Settles when a local server was found. From then on it answers instead of the demonstration. */
  readonly changed: Promise<void>;
}

/**
 * Uses the config file, then keys and addresses of the settings, then a local server. With none of them, the demonstration answers until a
 * local server is found.
 */
export async function chooseProviders(
  settings: Settings,
  dependencies: ProviderDependencies,
): Promise<ChosenProviders> {
  const { clock, agents, own, observer, configuration } = dependencies;
  const leaving = new AbortController();
  const changed = Promise.withResolvers<void>();
  const chosen = (answering: Answering): ChosenProviders => ({
    ...answering,
    changed: changed.promise,
    [Symbol.dispose]: () => leaving.abort(),
  });
  if (own !== undefined) return chosen(describeOwn(own, observer));
  const [first, ...more] = endpointsOf(settings, configuration);
  if (first !== undefined)
    return chosen(await configured([first, ...more], settings, dependencies, leaving.signal));
  const { localProviders } = settings;
  const looking = { agents, clock, signal: leaving.signal };
  const { server, unusable } = await lookForServer(localProviders, looking);
  for (const message of unusable.flatMap((one) => warningOf(one, settings))) observer.warned?.({ message });
  if (server !== undefined) return chosen(local(server, settings, dependencies, leaving.signal));
  const providers = chosen(demonstration(settings, dependencies));
  if (localProviders.length > 0)
    void waitForServer(localProviders, looking).then((found) => {
      if (found === undefined || leaving.signal.aborted) return;
      Object.assign(providers, local(found, settings, dependencies, leaving.signal));
      changed.resolve();
    });
  return providers;
}

/** A catalog that throws for `openai` may still answer other names, and a defect in it must not end the start. */
function describeOwn(own: ProviderCatalog, observer: Observer): Answering {
  const { apiFor, list, vendorOf } = own;
  const unnamed = {
    ...{ simulated: false, isFree: false, choose: own.choose.bind(own) },
    ...(apiFor === undefined ? {} : { apiFor: apiFor.bind(own) }),
    ...(list === undefined ? {} : { list: list.bind(own) }),
    ...(vendorOf === undefined ? {} : { vendorOf: vendorOf.bind(own) }),
  };
  try {
    const { provider, model } = own.choose("openai", undefined);
    const summary = `api "openai" is answered by ${provider.name} (${model}), a provider of the application`;
    return { ...unnamed, simulated: provider.simulated, model, summary };
  } catch (error) {
    const summary = "providers of the application answer";
    if (error instanceof TroupeError)
      return { ...unnamed, model: undefined, summary: `${summary}, none of them api "openai"` };
    const message = 'the providers of the application failed when they were asked for api "openai"';
    observer.warned?.({ message, cause: error });
    return { ...unnamed, model: undefined, summary };
  }
}

/** The endpoints that the operator has named. */
async function configured(
  endpoints: readonly [Endpoint, ...Endpoint[]],
  settings: Settings,
  dependencies: ProviderDependencies,
  signal: AbortSignal,
): Promise<Answering> {
  const { agents, clock } = dependencies;
  const chains = chainsOf(settings, dependencies.configuration);
  const inChains = apisIn(chains);
  const open = (endpoint: Endpoint): OpenedEndpoint => {
    const provider = openEndpoint(endpoint, settings, dependencies);
    const isGuarded = inChains.has(endpoint.name);
    return { endpoint, provider: isGuarded ? guarded(endpoint, provider, dependencies) : provider };
  };
  const [first, ...more] = endpoints;
  const lists = createModelLists({ agents, clock, signal });
  const catalog = createCatalog({ opened: [open(first), ...more.map(open)], lists, settings, chains });
  const names = endpoints.map(({ name }) => name);
  for (const message of uselessLinks(chains, names)) dependencies.observer.warned?.({ message });
  // The lists are needed to find the endpoint of a model, and the model of an endpoint. OpenAI alone needs none.
  const needed = endpoints.filter(
    ({ name, model }) => more.length > 0 || (name !== "openai" && model === undefined),
  );
  await Promise.all(
    needed.map(async (endpoint) => {
      const list = await lists.ask(endpoint);
      const isUnusable = "fault" in list && (list.refusesKey || !list.isThere);
      if (isUnusable)
        dependencies.observer.warned?.({
          message: `api "${endpoint.name}": ${endpoint.title} ${list.fault}; troupe doctor has a remedy`,
        });
    }),
  );
  const { choose, apiFor, list, model } = catalog;
  const { vendorOf } = catalog;
  const named = [first, ...more].map((endpoint) => {
    const shown = endpoint.name === apiFor(undefined) && endpoint.name !== "openai" ? model : undefined;
    const where = `${endpoint.title}${overProxy(new URL(endpoint.baseUrl), dependencies)}`;
    return `"${endpoint.name}" is answered by ${where}${shown === undefined ? "" : ` (${shown})`}`;
  });
  const simulated = false;
  const summary = `api ${named.join(", ")}`;
  return {
    ...{ choose, apiFor, list, simulated, isFree: false, model, summary },
    ...(vendorOf === undefined ? {} : { vendorOf }),
  };
}

/** Only an endpoint of a chain has a breaker: without another place to ask, a call that may succeed is better than none. */
function guarded(
  { name: providerName }: Endpoint,
  provider: Provider,
  { clock, ownObserver }: ProviderDependencies,
): Provider {
  const onChange = (change: CircuitChange) => ownObserver.breakerChanged?.({ providerName, ...change });
  return guardProvider(provider, new Circuits({ clock, onChange }));
}

function local(
  { baseUrl, models }: LocalServer,
  settings: Settings,
  dependencies: ProviderDependencies,
  signal: AbortSignal,
): Answering {
  const { model } = settings;
  const isThere = models.includes(model);
  const fallback = isThere ? model : models[0];
  const url = new URL(baseUrl);
  const endpoint = foundEndpoint(baseUrl, fallback);
  const provider = openEndpoint(endpoint, settings, dependencies);
  const lists = createModelLists({ agents: dependencies.agents, clock: dependencies.clock, signal });
  const catalog = createCatalog({ opened: [{ endpoint, provider }], lists, settings });
  if (!isThere && model !== defaultSettings().model)
    dependencies.observer.warned?.({
      message: `TROUPE_MODEL: the local server at ${url.host} has no ${model}; ${fallback} answers instead`,
    });
  const where = `the local server at ${url.host}${overProxy(url, dependencies)}`;
  return {
    choose: (api, asked) =>
      catalog.choose(api, asked !== undefined && models.includes(asked) ? asked : fallback),
    list: async () => (await catalog.list()).map((listed) => ({ ...listed, isConfigured: false })),
    simulated: false,
    isFree: false,
    model: fallback,
    summary: `api "openai" is answered by ${where} (${fallback})`,
  };
}

function demonstration({ localProviders }: Settings, { clock }: ProviderDependencies): Answering {
  const provider = createDemoProvider({ clock });
  const looks = localProviders.length === 0 ? "" : ", or start a local model server, which is found";
  const models = [{ id: "demo", isListed: true }];
  const state = { isDefault: true, isConfigured: false, simulated: true, isReachable: true };
  return {
    choose: (api) => ({ provider, api, model: "demo" }),
    list: async () => [{ api: "openai", ...state, defaultModel: "demo", models }],
    simulated: true,
    isFree: true,
    model: "demo",
    summary: `no model is configured: every answer is a scripted demonstration (set OPENAI_API_KEY${looks})`,
  };
}

function overProxy(url: URL, { agents }: ProviderDependencies): string {
  const proxy = agents.proxyFor(url);
  return proxy === undefined ? "" : ` over the proxy ${proxy}`;
}

/** Warns of a named server, and of a model server without a usable model. An empty default port is normal. */
function warningOf({ baseUrl, list }: UnusableServer, { localProviders }: Settings): string[] {
  const isNamed = String(localProviders) !== String(defaultSettings().localProviders);
  return isNamed || list.isModelServer ? [`TROUPE_LOCAL_PROVIDERS: ${baseUrl} ${list.fault}`] : [];
}
