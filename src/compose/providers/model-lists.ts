import { type ListForm, listModels, type ModelList } from "../../adapters/upstream/list-models.ts";
import type { UpstreamAgents } from "../../adapters/upstream/upstream-call.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Endpoint, EndpointKind } from "./open-endpoint.ts";

/** How long a list counts as new. A server that could not be asked is asked again sooner. */
const freshMs = 300_000;
const retryMs = 10_000;

interface ListDependencies {
  readonly agents: UpstreamAgents;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The lists of models, as last told by their servers. They are kept in memory, at most a thousand names each. */
export interface ModelLists {
  /** The last list, without asking. */
  known(endpoint: Endpoint): ModelList | undefined;
  /** The list, asked for again if it is old. Simultaneous callers share one question. Never rejects. */
  ask(endpoint: Endpoint): Promise<ModelList>;
}

interface Kept {
  readonly list: ModelList;
  readonly atMs: number;
}

export function createModelLists(dependencies: ListDependencies): ModelLists {
  const { clock } = dependencies;
  const kept = new Map<string, Kept>();
  const asking = new Map<string, Promise<ModelList>>();

  async function renew(endpoint: Endpoint): Promise<ModelList> {
    try {
      const list = await listOf(endpoint, dependencies);
      kept.set(endpoint.name, { list, atMs: clock.now() });
      return list;
    } finally {
      asking.delete(endpoint.name);
    }
  }

  return {
    known: ({ name }) => kept.get(name)?.list,
    async ask(endpoint) {
      const last = kept.get(endpoint.name);
      const isFresh =
        last !== undefined && clock.now() - last.atMs < ("models" in last.list ? freshMs : retryMs);
      if (isFresh) return last.list;
      const asked = asking.get(endpoint.name) ?? renew(endpoint);
      asking.set(endpoint.name, asked);
      return asked;
    },
  };
}

/** Where and how each kind lists its models, if not as OpenAI does. */
const ways: Partial<Record<EndpointKind, (endpoint: Endpoint) => ListQuestion>> = {
  anthropic: ({ baseUrl, apiKey = "" }) => ({
    baseUrl: baseUrl.endsWith("/v1") ? baseUrl : `${baseUrl}/v1`,
    headers: { "x-api-key": apiKey, "anthropic-version": "2023-06-01" },
    form: "anthropic",
  }),
  gemini: ({ baseUrl, apiKey = "" }) => ({
    baseUrl: /\/v\d\w*(\/|$)/.test(new URL(baseUrl).pathname) ? baseUrl : `${baseUrl}/v1beta`,
    headers: { "x-goog-api-key": apiKey },
    form: "google",
  }),
};

interface ListQuestion {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly form: ListForm;
}

/** Asks a server for its models, with its key. Never rejects. */
function listOf(endpoint: Endpoint, dependencies: ListDependencies): Promise<ModelList> {
  const { baseUrl, headers, form } = (ways[endpoint.kind] ?? asOpenai)(endpoint);
  return listModels(baseUrl, { ...dependencies, headers: { ...headers, ...endpoint.headers }, form });
}

function asOpenai({ baseUrl, apiKey }: Endpoint): ListQuestion {
  return {
    baseUrl,
    form: "openai",
    headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
  };
}
