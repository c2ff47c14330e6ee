import { storableItems, textMessage } from "../ports/item.ts";
import { isObject, type JsonObject } from "../ports/json.ts";
import type { OutputChecker } from "../ports/output-checker.ts";
import type { ProviderChoice, ProviderRequest } from "../ports/provider.ts";
import type { TurnRequest } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { ChatDependencies, ReplyEnd, TurnContext } from "./chat-context.ts";
import { runLane } from "./lane.ts";
import type { LaneResult } from "./lane-result.ts";
import { pairedCalls } from "./prompt/persona-request.ts";
import type { BegunLane } from "./recovered-lanes.ts";

type ResponsesRequest = Extract<TurnRequest, { kind: "responses" }>;

/** A request with everything that its answer depends on. */
interface AskedResponse {
  readonly request: ResponsesRequest;
  readonly owner: string;
  readonly choice: ProviderChoice;
  /** Another process started the call: it continues after the part that was shown. */
  readonly begun?: BegunLane | undefined;
}

/** Answers one call of the Responses API, or continues one that was `begun`. Throws the lane's error if it failed. */
export async function answerResponses(
  { request, owner, choice, begun }: AskedResponse,
  dependencies: ChatDependencies,
  { signal, budget, onSent, isFull, onResponse, emit, emitWithNext }: TurnContext,
): Promise<ReplyEnd> {
  const call: ProviderRequest = {
    model: choice.model,
    responseId: `resp_${dependencies.clock.newId()}`,
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
    rebuild:
      request.previousResponseId === undefined ? undefined : () => withContext(call, owner, dependencies),
    pacing: request.pacing,
    includeSources: request.includeSources === true,
    includeUsage: request.includeUsage === true,
    showText: true,
    signal,
    budget,
    onSent,
    isFull,
    begun,
    // The end of the turn follows at once, unless the answer is checked first.
    emitEnd: isFormChecked(request.options) ? undefined : emitWithNext,
  };
  const result = await runLane(lane, dependencies, emit);
  if (result.error !== undefined) throw result.error;
  const { text, model, usage } = result;
  const fault = await checkOutput(result, { owner, options: request.options }, dependencies.outputs);
  keepResponse(request, result, onResponse);
  const cancelled = result.status === "cancelled";
  const partial = cancelled ? "cancelled" : result.isCut ? "incomplete" : undefined;
  return {
    type: "answer",
    status: cancelled ? "cancelled" : "completed",
    answer: {
      kind: "responses",
      text,
      response: result.response ?? {},
      ...(partial === undefined ? {} : { partial, model }),
      ...(usage === undefined ? {} : { usage }),
      finishReason: result.finishReason ?? "stop",
      ...(begun?.link === undefined && result.api === choice.api ? {} : { api: result.api }),
      simulated: result.simulated,
      ...(fault === undefined ? {} : { error: fault }),
      ...(result.cancel === undefined ? {} : { cancel: result.cancel }),
    },
  };
}

/** The call with the items of the responses that it continues in the place of their id; `undefined` if they are not kept. */
async function withContext(
  { previousResponseId = "", ...call }: ProviderRequest,
  owner: string,
  { responses, contextChars }: Pick<ChatDependencies, "responses" | "contextChars">,
): Promise<ProviderRequest | undefined> {
  const items = await responses.context(owner, previousResponseId, contextChars);
  return items === undefined ? undefined : { ...call, input: pairedCalls([...items, ...call.input]) };
}

/** Also a stopped answer can be continued, after its text so far. */
function keepResponse(
  { input, previousResponseId }: ResponsesRequest,
  { response, items, text }: LaneResult,
  onResponse: TurnContext["onResponse"],
): void {
  if (typeof response?.id !== "string" || response.id === "") return;
  const said = storableItems(items) ?? (text.trim() === "" ? [] : [textMessage("assistant", text)]);
  onResponse({
    id: response.id,
    ...(previousResponseId === undefined ? {} : { previousId: previousResponseId }),
    items: [...input, ...said],
  });
}

/** The form that an answer was asked to have. Without a schema, it is any JSON object. */
interface OutputForm {
  readonly schema: JsonObject | undefined;
}

/** Reads the words of the Responses API (`text.format`). `undefined` if no form was asked for that could be checked. */
function formOf({ text }: JsonObject): OutputForm | undefined {
  const format = isObject(text) ? text.format : undefined;
  if (!isObject(format)) return undefined;
  if (format.type === "json_object") return { schema: undefined };
  return format.type === "json_schema" && isObject(format.schema) ? { schema: format.schema } : undefined;
}

/** Whether the form of an answer to these options is checked once it is whole. */
function isFormChecked(options: JsonObject): boolean {
  return formOf(options) !== undefined;
}

/**
 * Returns `invalid_output` if a whole answer does not have the form that the options ask for, or if that could not be found out. An answer
 * that was stopped, cut or refused, or that calls a tool, has no form.
 */
async function checkOutput(
  { status, finishReason, isCut, text }: LaneResult,
  { owner, options }: { readonly owner: string; readonly options: JsonObject },
  outputs: OutputChecker,
): Promise<TroupeError | undefined> {
  const form = formOf(options);
  if (form === undefined || status !== "completed" || finishReason !== "stop" || isCut === true)
    return undefined;
  const verdict = await outputs.check(owner, text, form.schema);
  if (verdict.fits === true) return undefined;
  // Another answer may fit, but a schema that cannot be checked stays as it is.
  return new TroupeError("invalid_output", { detail: verdict.fault, retryable: verdict.fits === false });
}
