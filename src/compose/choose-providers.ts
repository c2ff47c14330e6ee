import { z } from "zod";
import { createDemoProvider } from "../adapters/demo/demo-provider.ts";
import { createOpenaiProvider } from "../adapters/openai/openai-provider.ts";
import type { UpstreamAgents } from "../adapters/upstream/upstream-call.ts";
import type { Clock } from "../ports/clock.ts";
import type { Provider } from "../ports/provider.ts";
import type { ProviderCatalog } from "../ports/provider-catalog.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { Settings } from "./settings.ts";

export interface ProviderDependencies {
  readonly clock: Clock;
  readonly agents: UpstreamAgents;
  readonly random: () => number;
  readonly onWarning: (warning: string, cause: unknown) => void;
}

/** The providers of this server, and one line that says which. */
export interface ChosenProviders {
  readonly catalog: ProviderCatalog;
  readonly simulated: boolean;
  readonly model: string;
  readonly summary: string;
}

/** How long a server on this machine may take to list its models. */
const probeMs = 300;
const modelList = z.object({ data: z.array(z.object({ id: z.string() })).min(1) });

/** Explicit settings and keys first, then a local server, and only without any of them the demonstration. */
export async function chooseProviders(
  settings: Settings,
  dependencies: ProviderDependencies,
): Promise<ChosenProviders> {
  const { openaiApiKey, openaiBaseUrl, model } = settings;
  const openai = (apiKey: string, baseUrl: string | undefined) =>
    createOpenaiProvider({
      apiKey,
      ...(baseUrl === undefined ? {} : { baseUrl }),
      ...dependencies,
      firstByteMs: settings.firstByteMs,
      idleMs: settings.idleMs,
    });
  if (openaiApiKey !== undefined || openaiBaseUrl !== undefined) {
    const provider = openai(openaiApiKey ?? "none", openaiBaseUrl);
    const catalog = only(provider, (asked) => asked ?? model);
    const where = openaiBaseUrl === undefined ? "OpenAI" : new URL(openaiBaseUrl).host;
    return { catalog, simulated: false, model, summary: `api "openai" is answered by ${where}` };
  }
  for (const { baseUrl, models } of await findLocal(settings.localProviders)) {
    const fallback = models.includes(model) ? model : (models[0] ?? model);
    const catalog = only(openai("none", baseUrl), (asked) =>
      asked !== undefined && models.includes(asked) ? asked : fallback,
    );
    const summary = `api "openai" is answered by the local server at ${new URL(baseUrl).host} (${fallback})`;
    return { catalog, simulated: false, model: fallback, summary };
  }
  const demo = createDemoProvider({ clock: dependencies.clock });
  const catalog: ProviderCatalog = { choose: (api) => ({ provider: demo, api, model: "demo" }) };
  const summary = "no model is configured: every answer is a scripted demonstration (set OPENAI_API_KEY)";
  return { catalog, simulated: true, model: "demo", summary };
}

/** One provider, for `api: "openai"`. */
function only(provider: Provider, modelFor: (asked: string | undefined) => string): ProviderCatalog {
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

/** Servers on this machine that list models the way OpenAI does, in the order of the settings. */
async function findLocal(baseUrls: readonly string[]) {
  const answers = await Promise.all(
    baseUrls.map(async (baseUrl) => {
      try {
        const response = await fetch(`${baseUrl}/models`, {
          signal: AbortSignal.timeout(probeMs),
          redirect: "error",
        });
        const parsed = modelList.safeParse(await response.json());
        return parsed.success ? { baseUrl, models: parsed.data.data.map(({ id }) => id) } : undefined;
      } catch {
        return undefined; // Nothing answers there, which is the usual case.
      }
    }),
  );
  return answers.filter((answer) => answer !== undefined);
}
