import { APIError } from "openai";
import type { ChatCompletionCreateParamsStreaming } from "openai/resources/chat/completions";
import type { Clock } from "../../ports/clock.ts";
import type { Provider, ProviderCall, ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { fromSdkError } from "../openai/openai-errors.ts";
import { createSdkClient, type SdkClientOptions } from "../openai/sdk-client.ts";
import { AnswerStream } from "../upstream/answer-stream.ts";
import { ignoredParameters } from "../upstream/ignored-parameters.ts";
import { Omissions } from "../upstream/omissions.ts";
import { reopenLearned } from "../upstream/reopened-stream.ts";
import { digestOf } from "../upstream/sent-items.ts";
import { ChatMachine } from "./chat-machine.ts";
import { chatName } from "./chat-messages.ts";
import { chatParams } from "./chat-params.ts";
import { type ChatDialect, chatDialectOf, chatOmissions, chatPlaces } from "./dialects.ts";

interface ChatProviderOptions extends SdkClientOptions {
  readonly clock: Clock;
  /** The switches of this server. The others follow from its address. */
  readonly dialect?: Partial<ChatDialect> | undefined;
}

/**
 * A provider for Chat Completions, at OpenAI or at any server that speaks them. The official SDK makes the requests; our own reader reads
 * the answers. If a server refuses a parameter that it does not know, the call is repeated once without it, and later calls leave it out.
 * Responses are not stored, so a request with `previousResponseId` is refused by that field.
 */
export function createChatProvider(options: ChatProviderOptions): Provider {
  const { agents, apiKey, clock, idleMs } = options;
  const { sdk, firstByteMs, toError } = createSdkClient(options);
  const dialect = { ...chatDialectOf(sdk.baseURL), ...options.dialect };
  const account = digestOf(sdk.baseURL, apiKey);
  const omissions = new Omissions<ChatCompletionCreateParamsStreaming>(chatOmissions);

  function open(request: ProviderRequest, { signal }: ProviderCall, noteLearned: () => void): AnswerStream {
    const origin = `${account} ${request.model}`;
    let ignored: readonly string[] = [];
    return new AnswerStream({
      ...{ agents, clock, firstByteMs, idleMs, signal },
      machine: new ChatMachine(request, dialect, origin),
      async open(fetch) {
        const sent = omissions.apply(chatParams(request, dialect, origin));
        ignored = ignoredParameters(request, sent, chatPlaces);
        try {
          return await sdk.postOver(fetch, "/chat/completions", sent);
        } catch (thrown) {
          if (thrown instanceof APIError && omissions.learn(sent, thrown)) noteLearned();
          throw thrown;
        }
      },
      ignored: () => ignored,
      fromOpenFault: (thrown) =>
        thrown instanceof TroupeError ? thrown : fromSdkError(thrown, clock.wallTimeMs()),
      toError: (thrown) => toError(thrown, request),
    });
  }

  const stream = (request: ProviderRequest, call: ProviderCall) =>
    reopenLearned((noteLearned) => open(request, call, noteLearned));

  return { name: chatName, simulated: false, stream };
}
