import { listModels } from "../adapters/openai/list-models.ts";
import { placeOf } from "../adapters/upstream/place-of.ts";
import type { LookOptions } from "./local-server.ts";
import type { Settings } from "./settings.ts";

/** Maximum number of a server's models in one line. */
const maxNamed = 5;

export interface NamedServerCheck extends Omit<LookOptions, "signal"> {
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
