import type { FallbackLink, ProviderChoice } from "../ports/provider-catalog.ts";
import type { NamedChoice } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { ChatDependencies } from "./chat-context.ts";

type Known = Pick<ChatDependencies, "providers">;

/** The names in a request that choose its provider. */
interface Asked {
  readonly api?: string | undefined;
  readonly model?: string | undefined;
  /** The links after it, in the place of the server's. */
  readonly fallback?: readonly NamedChoice[] | undefined;
}

/**
 * The endpoint and the model that answer: the request's, otherwise the persona's own, otherwise the server's. Throws
 * `provider_not_configured`.
 */
export function chooseProvider(asked: Asked, known: Known, own: NamedChoice = {}): ProviderChoice {
  const { api, model } = asked.api === undefined && asked.model === undefined ? own : asked;
  return withLinks(chooseNamed({ api, model }, known), asked.fallback, known);
}

/** Each of two names goes with the other: another vendor's endpoint does not have its model. */
function chooseNamed({ api, model }: Asked, { providers }: Known): ProviderChoice {
  return providers.choose(api ?? providers.apiFor?.(model) ?? "openai", model);
}

/** The choice with the links of a request, or with the server's if it names none. Throws `provider_not_configured`. */
function withLinks(choice: ProviderChoice, named: Asked["fallback"], known: Known): ProviderChoice {
  if (named === undefined) return choice;
  const fallbacks = named.flatMap((link, at): FallbackLink[] => {
    const { fallbacks: _, ...found } = refusingAt(`fallback.${at}`, () => chooseNamed(link, known));
    return found.api === choice.api && found.model === choice.model ? [] : [found];
  });
  return { ...choice, fallbacks };
}

/** The catalog's refusal of an endpoint names the request's field. Here it gets the place in a list of the request. */
function refusingAt<T>(place: string, choose: () => T): T {
  try {
    return choose();
  } catch (error) {
    if (!(error instanceof TroupeError)) throw error;
    const { code, detail, retryable } = error;
    const name = error.field?.split(".").at(-1);
    const field = name === undefined ? place : `${place}.${name}`;
    throw new TroupeError(code, { retryable, field, ...(detail === undefined ? {} : { detail }) });
  }
}

/** The same for the member of a request at this place in its list. A model alone is asked at the request's endpoint. */
export function chooseForMember(
  request: Asked,
  { named: { api, model }, at }: { readonly named: NamedChoice; readonly at: number },
  known: Known,
): ProviderChoice {
  const { fallback } = request;
  if (api === undefined) return chooseProvider({ api: request.api, model, fallback }, known);
  const choice = refusingAt(`members.${at}`, () => chooseNamed({ api, model }, known));
  return withLinks(choice, fallback, known);
}
