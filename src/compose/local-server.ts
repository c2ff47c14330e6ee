import { listModels, type ModelList } from "../adapters/upstream/list-models.ts";
import { placeOf } from "../adapters/upstream/place-of.ts";
import type { UpstreamAgents } from "../adapters/upstream/upstream-call.ts";
import type { Clock } from "../ports/clock.ts";
import type { Settings } from "./settings.ts";

/** A server on or near this machine that can answer. */
export interface LocalServer {
  readonly baseUrl: string;
  readonly models: readonly [string, ...string[]];
}

interface LookOptions {
  readonly agents: UpstreamAgents;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Pause between two tries. */
const lookAgainMs = 3_000;

/** Tries all addresses once. Returns the first server that can answer, and why each of the others cannot. */
export async function lookForServer(
  baseUrls: readonly string[],
  options: LookOptions,
): Promise<{ readonly server: LocalServer | undefined; readonly unusable: readonly UnusableServer[] }> {
  const seen = await Promise.all(
    baseUrls.map(async (written) => {
      const baseUrl = written.replace(/\/+$/, "");
      return { baseUrl, list: await listModels(baseUrl, options) };
    }),
  );
  const usable = seen.flatMap(({ baseUrl, list }) =>
    "models" in list ? [{ baseUrl, models: list.models }] : [],
  );
  const unusable = seen.flatMap(({ baseUrl, list }) => ("models" in list ? [] : [{ baseUrl, list }]));
  return { server: usable[0], unusable };
}

export interface UnusableServer {
  readonly baseUrl: string;
  readonly list: Exclude<ModelList, { readonly models: unknown }>;
}

/** Tries until a server is found; settles with `undefined` after an abort. Never rejects. */
export async function waitForServer(
  baseUrls: readonly string[],
  options: LookOptions,
): Promise<LocalServer | undefined> {
  const { clock, signal } = options;
  for (;;) {
    await clock.sleep(lookAgainMs, signal);
    if (signal.aborted) return undefined;
    const { server } = await lookForServer(baseUrls, options);
    if (server !== undefined) return server;
  }
}

/** Maximum number of a server's models in one line. */
const maxNamed = 5;

interface NamedServerCheck extends Omit<LookOptions, "signal"> {
  readonly onWarning: (warning: string) => void;
}

/**
 * Checks that the server of `OPENAI_BASE_URL` is up and has the model, if it is on this machine or in a private network; warns if not.
 * Vendors are not checked: they are up, and listing their models may need extra rights. Never rejects.
 */
export async function checkNamedServer(settings: Settings, options: NamedServerCheck): Promise<void> {
  const { openaiApiKey, openaiBaseUrl, openaiHeaders = {}, model } = settings;
  if (openaiBaseUrl === undefined || placeOf(new URL(openaiBaseUrl)) === "internet") return;
  const authorization = openaiApiKey === undefined ? {} : { authorization: `Bearer ${openaiApiKey}` };
  const list = await listModels(openaiBaseUrl, {
    ...options,
    signal: new AbortController().signal,
    headers: { ...authorization, ...openaiHeaders },
  });
  if ("models" in list) {
    const { models } = list;
    if (models.includes(model)) return;
    const named = models.slice(0, maxNamed).join(", ");
    const more = models.length > maxNamed ? ", ..." : "";
    options.onWarning(`TROUPE_MODEL: ${openaiBaseUrl} does not list ${model}; it has ${named}${more}`);
  } else if (list.isModelServer || !list.isThere) {
    options.onWarning(`OPENAI_BASE_URL: ${openaiBaseUrl} ${list.fault}`);
  }
}
