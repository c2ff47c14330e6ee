import type { ResponseCreateParamsStreaming } from "openai/resources/responses/responses";
import type { ProviderRequest } from "../../ports/provider.ts";

/** What the Responses API is sent. Options go first, so that none can undo what the server decides. */
export function responsesParams(request: ProviderRequest): ResponseCreateParamsStreaming {
  const { options = {}, messages } = request;
  const [only] = messages;
  const plain = messages.length === 1 && only !== undefined && request.instructions === undefined;
  const params = {
    ...options,
    model: request.model,
    input: plain ? only.text : messages.map(({ role, text }) => ({ role, content: text })),
    stream: true,
    ...(request.instructions === undefined ? {} : { instructions: request.instructions, store: false }),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.maxOutputTokens === undefined ? {} : { max_output_tokens: request.maxOutputTokens }),
    ...(request.previousResponseId === undefined ? {} : { previous_response_id: request.previousResponseId }),
    ...(request.tools === undefined ? {} : { tools: request.tools }),
    ...(request.includeReasoning === true ? reasoningParams(options) : {}),
  };
  // The client's part was checked against the schema that is held against this type.
  return params as unknown as ResponseCreateParamsStreaming;
}

/** A stored response keeps its reasoning at the vendor; one that is not stored must carry it, encrypted, to be continued. */
function reasoningParams(options: NonNullable<ProviderRequest["options"]>) {
  const asked = typeof options.reasoning === "object" ? options.reasoning : {};
  const include = Array.isArray(options.include) ? options.include : [];
  return {
    reasoning: { summary: "auto", ...asked },
    ...(options.store === false
      ? { include: [...new Set([...include, "reasoning.encrypted_content"])] }
      : {}),
  };
}
