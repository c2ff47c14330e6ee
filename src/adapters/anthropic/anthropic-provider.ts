import type { Clock } from "../../ports/clock.ts";
import type { Provider, ProviderCall, ProviderRequest } from "../../ports/provider.ts";
import { AnswerStream } from "../upstream/answer-stream.ts";
import { createEndpoint, type EndpointOptions } from "../upstream/endpoint.ts";
import { ignoredParameters } from "../upstream/ignored-parameters.ts";
import { Omissions } from "../upstream/omissions.ts";
import { HttpFault, postJson } from "../upstream/post-json.ts";
import { reopenLearned } from "../upstream/reopened-stream.ts";
import { digestOf } from "../upstream/sent-items.ts";
import { fromOpenFault } from "./anthropic-errors.ts";
import type { MessagesRequest } from "./messages-api.ts";
import { anthropicName } from "./messages-input.ts";
import { MessagesMachine } from "./messages-machine.ts";
import { anthropicOmissions, anthropicPlaces, messagesParams } from "./messages-params.ts";

interface AnthropicProviderOptions extends EndpointOptions {
  readonly clock: Clock;
}

const anthropicUrl = "https://api.anthropic.com";
/** The version that lets older models keep their temperature; `2026-10-21` refuses it for all. */
const apiVersion = "2023-06-01";
const adviceWords = {
  keySetting: "ANTHROPIC_API_KEY",
  urlSetting: "ANTHROPIC_BASE_URL",
  api: "Messages API",
};

/**
 * A provider for the Messages API, at Anthropic or at any server that speaks it. Its base URL may end with `/v1`. Requests are made without
 * an SDK; our own reader reads the answers. If a model refuses a parameter that it does not know, the call is repeated once without it, and
 * later calls leave it out. Responses are not stored, so a request with `previousResponseId` fails with
 * `previous_response_not_found`.
 */
export function createAnthropicProvider(options: AnthropicProviderOptions): Provider {
  const { agents, apiKey, clock, idleMs } = options;
  const { baseUrl, headers, firstByteMs, toError } = createEndpoint(options, anthropicUrl, adviceWords);
  const url = `${baseUrl.replace(/\/+$/, "").replace(/\/v1$/, "")}/v1/messages`;
  const own = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  const sentHeaders = { "x-api-key": apiKey, "anthropic-version": apiVersion, ...Object.fromEntries(own) };
  const account = digestOf(url, apiKey);
  const omissions = new Omissions<MessagesRequest>(anthropicOmissions);

  function open(request: ProviderRequest, { signal }: ProviderCall, noteLearned: () => void): AnswerStream {
    const origin = `${account} ${request.model}`;
    let ignored: readonly string[] = [];
    return new AnswerStream({
      ...{ agents, clock, firstByteMs, idleMs, signal },
      machine: new MessagesMachine(request, origin),
      async open(fetch) {
        const body = omissions.apply(messagesParams(request, origin));
        ignored = ignoredParameters(request, body, anthropicPlaces);
        try {
          return await postJson(fetch, { url, headers: sentHeaders, body });
        } catch (thrown) {
          if (thrown instanceof HttpFault && omissions.learn(body, thrown)) noteLearned();
          throw thrown;
        }
      },
      ignored: () => ignored,
      fromOpenFault: (thrown) => fromOpenFault(thrown, clock.wallTimeMs()),
      toError: (thrown) => toError(thrown, request),
    });
  }

  const stream = (request: ProviderRequest, call: ProviderCall) =>
    reopenLearned((noteLearned) => open(request, call, noteLearned));

  return { name: anthropicName, simulated: false, stream };
}
