import type { Clock } from "../../ports/clock.ts";
import type { Provider, ProviderCall, ProviderRequest } from "../../ports/provider.ts";
import { AnswerStream } from "../upstream/answer-stream.ts";
import { createEndpoint, type EndpointOptions } from "../upstream/endpoint.ts";
import { ignoredParameters } from "../upstream/ignored-parameters.ts";
import { Omissions } from "../upstream/omissions.ts";
import { HttpFault, postJson } from "../upstream/post-json.ts";
import { reopenLearned } from "../upstream/reopened-stream.ts";
import { digestOf } from "../upstream/sent-items.ts";
import { ContentsMachine } from "./contents-machine.ts";
import { type GeminiParams, geminiOmissions, geminiParams, geminiPlaces } from "./contents-params.ts";
import { fromGeminiFault } from "./gemini-errors.ts";
import { geminiName } from "./part-state.ts";

interface GeminiProviderOptions extends EndpointOptions {
  readonly clock: Clock;
}

const geminiUrl = "https://generativelanguage.googleapis.com/v1beta";
const adviceWords = { keySetting: "GEMINI_API_KEY", urlSetting: "GEMINI_BASE_URL", api: "Gemini API" };

/**
 * A provider for the Gemini API (`streamGenerateContent`), without an SDK. Its address may end with a version, such as `/v1beta`, or not.
 * If a model refuses a parameter that it does not know, the call is repeated once without it, and later calls leave it out. Responses are
 * not stored, so a request with `previousResponseId` fails with `previous_response_not_found`.
 */
export function createGeminiProvider(options: GeminiProviderOptions): Provider {
  const { agents, apiKey, clock, idleMs } = options;
  const { baseUrl, firstByteMs, headers, toError } = createEndpoint(options, geminiUrl, adviceWords);
  const ownHeaders = { "x-goog-api-key": apiKey, ...Object.fromEntries(new Headers(headers)) };
  const account = digestOf(baseUrl, apiKey);
  const omissions = new Omissions<GeminiParams>(geminiOmissions);

  function open(request: ProviderRequest, { signal }: ProviderCall, noteLearned: () => void): AnswerStream {
    const origin = `${account} ${request.model}`;
    let ignored: readonly string[] = [];
    return new AnswerStream({
      ...{ agents, clock, firstByteMs, idleMs, signal },
      machine: new ContentsMachine(request, origin),
      async open(fetch) {
        const sent = omissions.apply(geminiParams(request, origin));
        ignored = ignoredParameters(request, sent, geminiPlaces);
        const { model, ...body } = sent;
        try {
          const url = addressOf(baseUrl, model);
          return await postJson(fetch, { url, headers: ownHeaders, body });
        } catch (thrown) {
          if (thrown instanceof HttpFault && omissions.learn(sent, named(thrown))) noteLearned();
          throw thrown;
        }
      },
      ignored: () => ignored,
      fromOpenFault: (thrown) => fromGeminiFault(thrown, clock.wallTimeMs()),
      toError: (thrown) => toError(thrown, request),
    });
  }

  const stream = (request: ProviderRequest, call: ProviderCall) =>
    reopenLearned((noteLearned) => open(request, call, noteLearned));

  return { name: geminiName, simulated: false, stream };
}

/** Models may be named as Google lists them. The name comes from a client, so it must stay one step of the path. */
function addressOf(baseUrl: string, model: string): string {
  const base = baseUrl.replace(/\/+$/, "");
  const versioned = /\/v\d\w*(?:\/|$)/.test(new URL(base).pathname) ? base : `${base}/v1beta`;
  const [, folder = "models", name = model] = /^(models|tunedModels)\/(.+)$/s.exec(model) ?? [];
  return `${versioned}/${folder}/${encodeURIComponent(name)}:streamGenerateContent?alt=sse`;
}

/** A refusal with the parameter that it means: "Thinking is not supported by this model" names none. */
function named({ status, message }: HttpFault) {
  const isOfThinking = /\bthinking(?:[ _](?:level|budget|config))?\b/i.test(message);
  return { status, message, ...(isOfThinking ? { param: "thinkingConfig" } : {}) };
}
