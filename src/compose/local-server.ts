import { listModels, type ModelList } from "../adapters/openai/list-models.ts";
import type { UpstreamAgents } from "../adapters/upstream/upstream-call.ts";
import type { Clock } from "../ports/clock.ts";

/** A server on or near this machine that can answer. */
export interface LocalServer {
  readonly baseUrl: string;
  readonly models: readonly [string, ...string[]];
}

export interface LookOptions {
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
