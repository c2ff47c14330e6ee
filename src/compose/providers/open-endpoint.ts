import { createAnthropicProvider } from "../../adapters/anthropic/anthropic-provider.ts";
import { createChatProvider } from "../../adapters/chat-completions/chat-provider.ts";
import type { ChatDialect } from "../../adapters/chat-completions/dialects.ts";
import { createGeminiProvider } from "../../adapters/gemini/gemini-provider.ts";
import type { PricedVendor } from "../../adapters/genai-prices/published-prices.ts";
import { createOpenaiProvider } from "../../adapters/openai/openai-provider.ts";
import { takesWebSocket } from "../../adapters/openai/websocket/takes-websocket.ts";
import type { UpstreamAgents } from "../../adapters/upstream/upstream-call.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Observer } from "../../ports/observer.ts";
import type { Provider } from "../../ports/provider.ts";
import type { Settings } from "../settings.ts";
import { createSpokenApi } from "../spoken-api.ts";

/** One address that answers, with everything that its provider is made from. */
export interface Endpoint {
  /** Its name as `api`. */
  readonly name: string;
  /** Its name in sentences. */
  readonly title: string;
  readonly kind: EndpointKind;
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly organization?: string | undefined;
  readonly project?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** How calls of the Responses API travel. Default `http`. */
  readonly transport?: "http" | "websocket" | undefined;
  readonly dialect?: Partial<ChatDialect> | undefined;
  /** Whether a server whose API is not known keeps responses. Default true. */
  readonly keepsResponses?: boolean | undefined;
  /** The vendor whose published prices its calls cost. */
  readonly pricedAs?: PricedVendor | undefined;
  /** The model of requests that name none. */
  readonly model: string | undefined;
  /** Further models of the config file, which the server need not list. */
  readonly models: readonly string[];
  /** Its settings, as advice names them. */
  readonly settings: { readonly key: string; readonly baseUrl: string };
}

/** The parts of the server that every provider uses. */
export interface EndpointDependencies {
  readonly clock: Clock;
  readonly agents: UpstreamAgents;
  readonly random: () => number;
  readonly observer: Observer;
}

type Options = ReturnType<typeof optionsOf>;

/** How each kind of endpoint is made. `spoken` has the Responses API or Chat Completions, and the first call finds out. */
const factories = {
  responses: (options: Options) => createOpenaiProvider(options),
  "chat-completions": (options: Options) => createChatProvider(options),
  anthropic: (options: Options) => createAnthropicProvider(options),
  gemini: (options: Options) => createGeminiProvider(options),
  spoken: (options: Options) =>
    createSpokenApi(createOpenaiProvider(options), createChatProvider(options), options.keepsResponses),
} satisfies Readonly<Record<string, (options: Options) => Provider>>;

/** The API that an endpoint speaks. */
export type EndpointKind = keyof typeof factories;

export const endpointKinds = Object.keys(factories) as [EndpointKind, ...EndpointKind[]];

/** Whether an endpoint may have the Responses API, whose calls can travel in two ways. */
export function hasTransport(kind: EndpointKind): boolean {
  return kind === "responses" || kind === "spoken";
}

/** Makes the provider of an endpoint. It calls nothing yet. */
export function openEndpoint(
  endpoint: Endpoint,
  settings: Pick<Settings, "firstByteMs" | "idleMs">,
  dependencies: EndpointDependencies,
): Provider {
  return factories[endpoint.kind](optionsOf(endpoint, settings, dependencies));
}

/**
 * Whether an endpoint whose calls are to travel over WebSockets takes them; `undefined` if they are not to. Rejects with the error of a
 * call if the endpoint refuses or cannot be reached.
 */
export async function takesWebSockets(
  endpoint: Endpoint,
  settings: Pick<Settings, "firstByteMs" | "idleMs">,
  { signal, ...dependencies }: EndpointDependencies & { readonly signal: AbortSignal },
): Promise<boolean | undefined> {
  if (endpoint.transport !== "websocket") return undefined;
  return takesWebSocket(optionsOf(endpoint, settings, dependencies), signal);
}

function optionsOf(
  {
    apiKey = "none",
    baseUrl,
    organization,
    project,
    headers,
    transport,
    dialect,
    keepsResponses,
    settings,
  }: Endpoint,
  { firstByteMs, idleMs }: Pick<Settings, "firstByteMs" | "idleMs">,
  { clock, agents, random, observer }: EndpointDependencies,
) {
  const onWarning = (message: string, cause: unknown) => observer.warned?.({ message, cause });
  return {
    ...{ apiKey, baseUrl, organization, project, headers, transport, dialect, keepsResponses, settings },
    ...{ clock, agents, random, onWarning, firstByteMs, idleMs },
  };
}
