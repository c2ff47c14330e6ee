import type { ServerMessage, ServerMessages } from "../../src/protocol/server-messages.ts";

/** A whole `chat` answer of `length` messages: three status messages, chunks, the last status message and the `response`. */
export function chatAnswer(requestId: string, length: number): ServerMessage[] {
  const lane = { persona_id: "ada", request_id: requestId };
  const chunkCount = length - 5;
  const chunks = Array.from({ length: chunkCount }, (_, index) => `part ${index} `);
  return [
    { type: "status", status: "starting", message: "Initializing...", ...lane, seq: 1 },
    { type: "status", status: "processing", message: "Sending request...", ...lane, seq: 2 },
    { type: "status", status: "streaming", message: "Receiving...", ...lane, seq: 3 },
    ...chunks.map((chunk, index): ServerMessage => {
      return { type: "chunk", chunk, is_final: index === chunkCount - 1, ...lane, seq: 4 + index };
    }),
    { type: "status", status: "completed", message: "Done.", ...lane, seq: length - 1 },
    chatResponse(requestId, length, chunks.join("")),
  ];
}

export function chatResponse(
  requestId: string,
  seq: number,
  text: string,
  conversationId = "conversation",
): ServerMessages["response"] {
  return {
    type: "response",
    status: "completed",
    message: "Done.",
    request_type: "chat",
    finish_reason: "stop",
    data: {
      response: text,
      persona: { id: "ada", name: "Ada", description: "Counts." },
      persona_id: "ada",
      conversation_id: conversationId,
      model: "scripted",
      api: "openai",
      finish_reason: "stop",
      usage: { input_tokens: 3, output_tokens: 5, total_tokens: 8, estimated: false },
    },
    request_id: requestId,
    seq,
  };
}

/** A message that refuses a frame. */
export function refusal(
  code: ServerMessages["error"]["code"],
  inReplyTo: { type: string; id?: string },
): ServerMessages["error"] {
  return {
    type: "error",
    status: "error",
    code,
    message: `Refused: ${code}.`,
    retryable: false,
    in_reply_to: inReplyTo,
  };
}

export function resumed(requestId: string, headSeq: number): ServerMessage {
  return { type: "resumed", request_id: requestId, head_seq: headSeq, state: "running" };
}
