import { textsOfItems } from "../../ports/item.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { placeOf } from "./place-of.ts";
import { type AdviceWords, adviceFor, type EndpointSettings } from "./provider-advice.ts";
import { createSecretMask, textsIn } from "./secret-mask.ts";
import type { UpstreamAgents } from "./upstream-call.ts";

export interface EndpointOptions {
  readonly apiKey: string;
  /** Base address of the API. Default: the vendor's own. */
  readonly baseUrl?: string | undefined;
  /** Extra headers of every call, which replace headers of the same name. Their values are kept out of errors, like the key. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The settings that advice in errors names. Default: those of the vendor. */
  readonly settings?: EndpointSettings | undefined;
  readonly agents: UpstreamAgents;
  /** Max wait for the first event, milliseconds. Default 60 s; 10 min on this machine or a private network, because a model may have to load. */
  readonly firstByteMs?: number | undefined;
  /** Max silence between two events, milliseconds. Keep-alive comments do not count as events. */
  readonly idleMs: number;
}

/** A hosted model starts within seconds. A local one may first load its file and then read a long prompt in silence. */
const usualFirstByteMs = 60_000;
const nearbyFirstByteMs = 600_000;

/** One address of an API, with its time limit and the mask of its errors. */
export function createEndpoint(
  { apiKey, headers = {}, settings, agents, firstByteMs, ...given }: EndpointOptions,
  vendorUrl: string,
  vendorWords: AdviceWords,
) {
  const { baseUrl = vendorUrl } = given;
  const named = settings && { keySetting: settings.key, urlSetting: settings.baseUrl };
  const words = { ...vendorWords, ...named };
  const isNearby = placeOf(new URL(baseUrl)) !== "internet";
  // A vendor quotes the key of `Bearer <key>` alone.
  const secrets = Object.values(headers).flatMap((value) => [value, ...value.split(/\s+/)]);
  const withoutKey = createSecretMask(apiKey, ...secrets, ...agents.secrets);

  return {
    baseUrl,
    headers,
    firstByteMs: firstByteMs ?? (isNearby ? nearbyFirstByteMs : usualFirstByteMs),
    /** The error of a call, with advice to the operator and without secrets or the texts of the request. */
    toError(thrown: unknown, request: ProviderRequest): TroupeError {
      const error = TroupeError.from(thrown);
      const advice = adviceFor(error, request.model, words);
      const advised = advice === undefined ? error : error.withDetail(advice);
      return withoutKey.error(advised, () => textsOf(request));
    },
    /** A cause for the log, without secrets or the texts of the request. */
    toCause: (cause: unknown, request: ProviderRequest): unknown =>
      withoutKey.cause(cause, () => textsOf(request)),
  };
}

/** The texts of a request. An upstream may quote them, and they must stay out of errors and logs. */
function textsOf({
  input,
  instructions = "",
  note = "",
  options = {},
  tools = [],
  functions = [],
}: ProviderRequest): string[] {
  const parameters = [options, tools, functions].flatMap((value) => textsIn(value));
  return [...textsOfItems(input), instructions, note, ...parameters];
}
