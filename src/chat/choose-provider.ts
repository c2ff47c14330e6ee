import type { Persona } from "../ports/persona.ts";
import { type ProviderChoice, usualApi } from "../ports/provider-catalog.ts";
import type { ChatDependencies } from "./chat-context.ts";

/** An endpoint, a model, both or neither. Each of two names goes with the other: another vendor's endpoint does not have its model. */
export interface Named {
  readonly api?: string;
  readonly model?: string | undefined;
}

/** The endpoint and the model that answer: the request's, otherwise the persona's own, otherwise the server's. */
export function chooseProvider(
  asked: Named,
  { providers }: Pick<ChatDependencies, "providers">,
  own: Pick<Persona, "api" | "model"> = {},
): ProviderChoice {
  const { api, model } = asked.api === undefined && asked.model === undefined ? own : asked;
  return providers.choose(api ?? usualApi(providers, model), model);
}
