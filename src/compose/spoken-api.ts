import { hasNoRoute } from "../adapters/upstream/http-fault.ts";
import { ReopenedStream } from "../adapters/upstream/reopened-stream.ts";
import { lacksResponse } from "../adapters/upstream/response-object.ts";
import type { Provider, ProviderRequest } from "../ports/provider.ts";
import { TroupeError } from "../protocol/errors.ts";

/**
 * A provider for a server that may or may not have the Responses API: `responses` is asked first. If the server does not have
 * that route, `chat` answers the same call, before anything of it was shown. The provider that answered is the only one from then on. If
 * the server has neither route, the refusal of `responses` is reported.
 *
 * Unless it `keepsResponses`, it is never asked to continue one: a server without a memory would ignore the id, and answer without the
 * context. The call then throws `previous_response_not_found`. So does one whose id a missing route has refused.
 */
export function createSpokenApi(responses: Provider, chat: Provider, keepsResponses = true): Provider {
  let spoken: Provider | undefined;
  return {
    name: responses.name,
    simulated: false,
    stream(request, call) {
      if (!keepsResponses && request.previousResponseId !== undefined) return failing(lacksResponse());
      // Only the Responses API has answers that a later call continues.
      if (spoken !== undefined || call.from !== undefined) return (spoken ?? responses).stream(request, call);
      let asked = responses;
      let refusal: unknown;
      return new ReopenedStream(responses.stream(request, call), {
        again(error) {
          if (!(error instanceof TroupeError) || !hasNoRoute(error)) return undefined;
          if (request.previousResponseId !== undefined) throw lacksResponse();
          if (namesStored(request)) return undefined;
          if (asked === chat) throw refusal;
          asked = chat;
          refusal = error;
          return chat.stream(request, call);
        },
        onOpen() {
          spoken = asked;
        },
      });
    },
  };
}

/** Whether it names something that the server stores: then a 404 may mean that, and not the route. */
function namesStored({ options = {} }: ProviderRequest): boolean {
  return [options.conversation, options.prompt].some((named) => named !== undefined);
}

function failing(error: TroupeError): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) };
}
