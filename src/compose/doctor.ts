import type { ModelList } from "../adapters/upstream/list-models.ts";
import { placeOf } from "../adapters/upstream/place-of.ts";
import type { UpstreamAgents } from "../adapters/upstream/upstream-call.ts";
import type { Clock } from "../ports/clock.ts";
import { textMessage } from "../ports/item.ts";
import type { Provider } from "../ports/provider.ts";
import { TroupeError } from "../protocol/errors.ts";
import { chainReport } from "./chain-report.ts";
import type { TroupeConfig } from "./config-file.ts";
import { lookForServer } from "./local-server.ts";
import { openPrices } from "./open-prices.ts";
import { chainsOf, createCatalog } from "./providers/catalog.ts";
import { endpointsOf, foundEndpoint } from "./providers/endpoints.ts";
import { createModelLists } from "./providers/model-lists.ts";
import {
  type Endpoint,
  type EndpointDependencies,
  openEndpoint,
  takesWebSockets,
} from "./providers/open-endpoint.ts";
import type { Settings } from "./settings.ts";

interface DoctorOptions {
  readonly settings: Settings;
  readonly configuration: TroupeConfig | undefined;
  readonly agents: UpstreamAgents;
  readonly clock: Clock;
}

/** The report on all endpoints and fallback chains, for the operator. */
interface Report {
  readonly lines: readonly string[];
  /** Whether some model can answer. */
  readonly canAnswer: boolean;
}

/** One endpoint, as it was found. */
interface Finding {
  readonly state: "ready" | "slow" | "unsure" | "refused" | "failed" | "dead";
  /** The state in words, to follow the endpoint's name. */
  readonly words: string;
  /** A remedy. */
  readonly advice?: string;
}

/** Max wait for a local model's first word. */
const patienceMs = 20_000;
const maxNamed = 5;

/**
 * Asks every endpoint that the server would use for its models. A server on this machine or in a private network is also asked for one
 * word, because that costs nothing and shows a model that has to load. Never rejects for a fault of an endpoint.
 */
export async function examineProviders(options: DoctorOptions): Promise<Report> {
  const { settings, configuration, agents, clock } = options;
  const { signal } = new AbortController();
  const named = endpointsOf(settings, configuration);
  if (named.length > 0) return report(named, options);
  const { server, unusable } = await lookForServer(settings.localProviders, { agents, clock, signal });
  const tried = unusable.map(({ baseUrl, list }) => `  ${baseUrl} ${list.fault}`);
  if (server !== undefined) {
    const { baseUrl, models } = server;
    const model = models.includes(settings.model) ? settings.model : models[0];
    const { lines, canAnswer } = await report([foundEndpoint(baseUrl, model)], options);
    return { lines: ["No key is set. A local server was found:", "", ...lines], canAnswer };
  }
  return {
    canAnswer: false,
    lines: [
      tried.length === 0
        ? "No key is set, and TROUPE_LOCAL_PROVIDERS names no local server."
        : "No key is set, and no local server can answer:",
      ...tried,
      "Every answer would be a scripted demonstration.",
      `  -> Set OPENAI_API_KEY or the key of another vendor, write ${settings.config ?? "troupe.json"}, or start a local model server.`,
    ],
  };
}

async function report(endpoints: readonly Endpoint[], options: DoctorOptions): Promise<Report> {
  const { settings, configuration, agents, clock } = options;
  const parts = { agents, clock, random: Math.random, observer: {} };
  const lists = createModelLists({ agents, clock, signal: new AbortController().signal });
  const [first, ...more] = endpoints.map((endpoint) => ({
    endpoint,
    provider: openEndpoint(endpoint, settings, parts),
  }));
  if (first === undefined) throw new Error("There is no endpoint to report on.");
  const opened = [first, ...more] as const;
  await Promise.all(endpoints.map((endpoint) => lists.ask(endpoint)));
  const chains = chainsOf(settings, configuration);
  const catalog = createCatalog({ opened, lists, settings, chains });
  const listed = await catalog.list();
  const findings = await Promise.all(
    opened.map(async ({ endpoint, provider }, at) => {
      const model = listed[at]?.defaultModel;
      const finding = await examine({ endpoint, provider, model, list: await lists.ask(endpoint), clock });
      return { endpoint, ...(await withTransport(finding, endpoint, { ...parts, settings })) };
    }),
  );
  const able = findings.filter(({ state }) => ["ready", "slow", "unsure"].includes(state));
  const width = Math.max(...endpoints.map(({ name }) => name.length));
  const rows = findings.flatMap(({ endpoint: { name, title }, state, words, advice }) => [
    `  ${state.padEnd(8)}${name.padEnd(width)}  ${title} ${words}`,
    ...(advice === undefined ? [] : [`  ${" ".repeat(8 + width)}  -> ${advice}`]),
  ]);
  const usual = catalog.apiFor(undefined);
  const answering = `Requests that name no api go to "${usual}"${catalog.model === undefined ? "" : `, model ${catalog.model}`}.`;
  const isUsualAble = able.some(({ endpoint }) => endpoint.name === usual);
  const remedy = able.length === 0 ? "" : ": name another in the request, or put it first in the config file";
  const isAble = (api: string) =>
    endpoints.some(({ name }) => name === api)
      ? able.some(({ endpoint }) => endpoint.name === api)
      : undefined;
  const ofChains =
    chains.size === 0
      ? []
      : chainReport({
          ...{ chains, catalog },
          canAnswer: isAble,
          lists(api, model) {
            const models =
              listed.find((one) => one.api === api)?.models.filter(({ isListed }) => isListed) ?? [];
            return models.length === 0 ? undefined : models.some(({ id }) => id === model);
          },
          prices: await openPrices(settings, {
            models: {
              model: catalog.model,
              ...(catalog.vendorOf === undefined ? {} : { vendorOf: catalog.vendorOf }),
              isFree: false,
            },
            configuration,
            clock,
          }),
        });
  const count = `${able.length} of ${endpoints.length} can answer.`;
  return {
    canAnswer: able.length > 0,
    lines: [
      ...rows,
      "",
      `${count} ${answering}${isUsualAble ? "" : ` That one cannot answer${remedy}.`}`,
      ...ofChains,
    ],
  };
}

interface Examined {
  readonly endpoint: Endpoint;
  readonly provider: Provider;
  /** The model of requests that name none. */
  readonly model: string | undefined;
  readonly list: ModelList;
  readonly clock: Clock;
}

async function examine(examined: Examined): Promise<Finding> {
  const { endpoint, provider, model, list, clock } = examined;
  if (!("models" in list)) return withoutList(examined, list);
  const { models } = list;
  const has = `lists ${models.length} ${models.length === 1 ? "model" : "models"}`;
  if (model === undefined || !models.includes(model)) {
    const some = `${models.slice(0, maxNamed).join(", ")}${models.length > maxNamed ? ", ..." : ""}`;
    const advice = `Name one that it has: ${some}. TROUPE_MODEL sets it, or "model" in the config file.`;
    return { state: "unsure", words: `${has}, but not ${model}`, advice };
  }
  if (placeOf(new URL(endpoint.baseUrl)) === "internet")
    return { state: "ready", words: `${has}; ${model} answers` };
  return firstWord(provider, model, clock);
}

interface TransportOptions extends EndpointDependencies {
  readonly settings: Settings;
}

/** A finding with the way that calls travel, if WebSockets are asked for. An endpoint that cannot answer is not asked. */
async function withTransport(
  finding: Finding,
  endpoint: Endpoint,
  { settings, ...parts }: TransportOptions,
): Promise<Finding> {
  if (finding.state !== "ready" && finding.state !== "unsure") return finding;
  const patience = new AbortController();
  const stopTimer = parts.clock.callAfter(patienceMs, () => patience.abort());
  try {
    const takes = await takesWebSockets(endpoint, settings, { ...parts, signal: patience.signal });
    if (takes === undefined) return finding;
    const way = takes ? ", over WebSocket" : ", over HTTP: it takes no WebSocket";
    return { ...finding, words: `${finding.words}${way}` };
  } catch (error) {
    const { code, message } = TroupeError.from(error);
    return { state: "failed", words: `fails to open a WebSocket: ${code}`, advice: message };
  } finally {
    stopTimer();
  }
}

/** The finding about an endpoint that did not list its models. */
function withoutList({ endpoint, model }: Examined, list: Exclude<ModelList, { models: unknown }>): Finding {
  const { key, baseUrl } = endpoint.settings;
  const words = list.fault;
  if (list.refusesKey) {
    const advice =
      endpoint.apiKey === undefined ? `Set ${key}.` : `Check ${key}: it is wrong, expired or revoked.`;
    return { state: "refused", words, advice };
  }
  if (!list.isThere) {
    const isNear = placeOf(new URL(endpoint.baseUrl)) !== "internet";
    const advice = isNear
      ? `Start it, or correct ${baseUrl}.`
      : "Check the network, the firewall and HTTPS_PROXY or HTTP_PROXY.";
    return { state: "dead", words, advice };
  }
  if (list.isModelServer) return { state: "failed", words, advice: "Load a model into it." };
  if (model === undefined)
    return { state: "failed", words, advice: `Name a model in TROUPE_MODEL, and check ${baseUrl}.` };
  return { state: "unsure", words, advice: `${model} may answer all the same. If not, check ${baseUrl}.` };
}

/** Asks a local server for one word. */
async function firstWord(provider: Provider, model: string, clock: Clock): Promise<Finding> {
  const patience = new AbortController();
  const stopTimer = clock.callAfter(patienceMs, () => patience.abort());
  const request = { model, input: [textMessage("user", "Say yes.")], maxOutputTokens: 16 };
  try {
    for await (const batch of provider.stream(request, { signal: patience.signal }))
      if (batch.some(({ type }) => type !== "started"))
        return { state: "ready", words: `answers with ${model}` };
    return { state: "failed", words: `gives no answer with ${model}` };
  } catch (error) {
    if (patience.signal.aborted) {
      const words = `has not answered with ${model} within ${patienceMs / 1_000} s`;
      const advice =
        "The model may still be loading: ask again. The server waits up to 10 minutes, or TROUPE_FIRST_BYTE_MS.";
      return { state: "slow", words, advice };
    }
    const { code, message } = TroupeError.from(error);
    return { state: "failed", words: `fails with ${model}: ${code}`, advice: message };
  } finally {
    stopTimer();
  }
}
