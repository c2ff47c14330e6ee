import { createChatProvider } from "../adapters/chat-completions/chat-provider.ts";
import { createDemoProvider } from "../adapters/demo/demo-provider.ts";
import { createOpenaiProvider } from "../adapters/openai/openai-provider.ts";
import type { UpstreamAgents } from "../adapters/upstream/upstream-call.ts";
import type { Clock } from "../ports/clock.ts";
import type { Observer } from "../ports/observer.ts";
import type { Provider } from "../ports/provider.ts";
import type { ProviderCatalog } from "../ports/provider-catalog.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type LocalServer, lookForServer, type UnusableServer, waitForServer } from "./local-server.ts";
import { defaultSettings, type Settings } from "./settings.ts";
import { createSpokenApi } from "./spoken-api.ts";

interface ProviderDependencies {
  readonly clock: Clock;
  readonly agents: UpstreamAgents;
  readonly random: () => number;
  readonly observer: Observer;
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
 * Uses explicit settings and keys first, then a local server. With none of them, the demonstration answers until a local server is found.
 */
export async function chooseProviders(
  settings: Settings,
  dependencies: ProviderDependencies,
): Promise<ChosenProviders> {
  const { clock, agents, own, observer } = dependencies;
  const leaving = new AbortController();
  const changed = Promise.withResolvers<void>();
  const chosen = (answering: Answering): ChosenProviders => ({
    ...answering,
    changed: changed.promise,
    [Symbol.dispose]: () => leaving.abort(),
  });
  if (own !== undefined) return chosen(describeOwn(own, observer));
  if (settings.openaiApiKey !== undefined || settings.openaiBaseUrl !== undefined)
    return chosen(configured(settings, dependencies));
  const { localProviders } = settings;
  const looking = { agents, clock, signal: leaving.signal };
  const { server, unusable } = await lookForServer(localProviders, looking);
  for (const message of unusable.flatMap((one) => warningOf(one, settings))) observer.warned?.({ message });
  if (server !== undefined) return chosen(local(server, settings, dependencies));
  const providers = chosen(demonstration(settings, dependencies));
  if (localProviders.length > 0)
    void waitForServer(localProviders, looking).then((found) => {
      if (found === undefined || leaving.signal.aborted) return;
      Object.assign(providers, local(found, settings, dependencies));
      changed.resolve();
    });
  return providers;
}

/** A catalog that throws for `openai` may still answer other names, and a defect in it must not end the start. */
function describeOwn(own: ProviderCatalog, observer: Observer): Answering {
  const unnamed = { simulated: false, isFree: false, choose: own.choose.bind(own) };
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

/** The parts that a provider uses. */
function ofProvider({ clock, agents, random, observer }: ProviderDependencies) {
  const onWarning = (message: string, cause: unknown) => observer.warned?.({ message, cause });
  return { clock, agents, random, onWarning };
}

function configured(settings: Settings, dependencies: ProviderDependencies): Answering {
  const { openaiApiKey, openaiBaseUrl, model } = settings;
  const provider = createOpenaiProvider({
    ...ofProvider(dependencies),
    apiKey: openaiApiKey ?? "none",
    baseUrl: openaiBaseUrl,
    organization: settings.openaiOrganization,
    project: settings.openaiProject,
    headers: settings.openaiHeaders,
    firstByteMs: settings.firstByteMs,
    idleMs: settings.idleMs,
  });
  const url = new URL(openaiBaseUrl ?? "https://api.openai.com/v1");
  const where = openaiBaseUrl === undefined ? "OpenAI" : url.host;
  const summary = `api "openai" is answered by ${where}${overProxy(url, dependencies)}`;
  return {
    ...oneProvider(provider, (asked) => asked ?? model),
    simulated: false,
    isFree: false,
    model,
    summary,
  };
}

function local(
  { baseUrl, models }: LocalServer,
  settings: Settings,
  dependencies: ProviderDependencies,
): Answering {
  const { model, firstByteMs, idleMs } = settings;
  const isThere = models.includes(model);
  const fallback = isThere ? model : models[0];
  const options = { ...ofProvider(dependencies), apiKey: "none", baseUrl, firstByteMs, idleMs };
  const provider = createSpokenApi(createOpenaiProvider(options), createChatProvider(options));
  const choose = (asked: string | undefined) =>
    asked !== undefined && models.includes(asked) ? asked : fallback;
  const url = new URL(baseUrl);
  if (!isThere && model !== defaultSettings().model)
    dependencies.observer.warned?.({
      message: `TROUPE_MODEL: the local server at ${url.host} has no ${model}; ${fallback} answers instead`,
    });
  const where = `the local server at ${url.host}${overProxy(url, dependencies)}`;
  const summary = `api "openai" is answered by ${where} (${fallback})`;
  return { ...oneProvider(provider, choose), simulated: false, isFree: false, model: fallback, summary };
}

function demonstration({ localProviders }: Settings, { clock }: ProviderDependencies): Answering {
  const provider = createDemoProvider({ clock });
  const looks = localProviders.length === 0 ? "" : ", or start a local model server, which is found";
  return {
    choose: (api) => ({ provider, api, model: "demo" }),
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

/** One provider, for `api: "openai"`. */
function oneProvider(provider: Provider, modelFor: (asked: string | undefined) => string): ProviderCatalog {
  return {
    choose(api, model) {
      if (api === "openai") return { provider, api, model: modelFor(model) };
      throw new TroupeError("provider_not_configured", {
        field: "data.api",
        detail: 'This server answers "openai" only (OPENAI_API_KEY, OPENAI_BASE_URL).',
      });
    },
  };
}
