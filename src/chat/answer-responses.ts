import type { ProviderRequest } from "../ports/provider.ts";
import type { ProviderChoice } from "../ports/provider-catalog.ts";
import type { TurnRequest } from "../ports/turn-request.ts";
import type { ChatDependencies, TurnContext } from "./chat-context.ts";
import { runLane } from "./lane.ts";
import type { BegunLane } from "./recovered-lanes.ts";
import type { ReplyEnd } from "./reply.ts";

type ResponsesRequest = Extract<TurnRequest, { kind: "responses" }>;

/** Answers one call of the Responses API, or continues one that was `begun`. Throws the lane's error if it failed. */
export async function answerResponses(
  request: ResponsesRequest,
  choice: ProviderChoice,
  dependencies: ChatDependencies,
  { signal, budget, onSent, isFull, emit }: TurnContext,
  begun?: BegunLane,
): Promise<ReplyEnd> {
  const call: ProviderRequest = {
    model: choice.model,
    input: request.input,
    includeReasoning: request.includeReasoning,
    options: request.options,
    ...(request.maxTokens === undefined ? {} : { maxOutputTokens: request.maxTokens }),
    ...(request.tools === undefined ? {} : { tools: request.tools }),
    ...(request.functions === undefined ? {} : { functions: request.functions }),
    ...(request.previousResponseId === undefined ? {} : { previousResponseId: request.previousResponseId }),
  };
  const lane = {
    choice,
    request: call,
    pacing: request.pacing,
    showText: true,
    signal,
    budget,
    onSent,
    isFull,
    begun,
  };
  const result = await runLane(lane, dependencies, emit);
  if (result.error !== undefined) throw result.error;
  const { text, model, usage } = result;
  const cancelled = result.status === "cancelled";
  const partial = cancelled ? "cancelled" : result.isCut ? "incomplete" : undefined;
  return {
    type: "answer",
    status: cancelled ? "cancelled" : "completed",
    answer: {
      kind: "responses",
      text,
      response: result.response ?? {},
      ...(partial === undefined ? {} : { partial, model, ...(usage === undefined ? {} : { usage }) }),
      finishReason: result.finishReason ?? "stop",
      simulated: choice.provider.simulated,
      ...(result.cancel === undefined ? {} : { cancel: result.cancel }),
    },
  };
}
