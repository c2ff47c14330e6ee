import assert from "node:assert/strict";
import type { MessageCreateParamsStreaming } from "@anthropic-ai/sdk/resources/messages";
import type { MessagesRequest } from "../../../src/adapters/anthropic/messages-api.ts";
import { messagesParams } from "../../../src/adapters/anthropic/messages-params.ts";
import type { Item } from "../../../src/ports/item.ts";
import type { ProviderRequest } from "../../../src/ports/provider.ts";
import { question } from "./anthropic-setup.ts";

export const origin = "account claude-sonnet-5";

/**
 * The request as the vendor's own type has it. Two parameters are missing there, because the SDK speaks a newer version of the API. Tools
 * are compared where they are made, because a client may send tools in the vendor's own words.
 */
function asVendorHasIt(request: MessagesRequest): MessageCreateParamsStreaming {
  const { temperature: _, top_p: __, tools: ___, messages, ...rest } = request;
  return { ...rest, messages: [...messages] };
}

export function paramsOf(changes: Partial<ProviderRequest> = {}) {
  const params = messagesParams({ ...question, ...changes }, origin);
  assert.equal(asVendorHasIt(params).stream, true);
  return params;
}

export function messagesOf(input: readonly Item[], changes: Partial<ProviderRequest> = {}) {
  return paramsOf({ input, ...changes }).messages;
}

export const image = { type: "image", data: "AAAA", mediaType: "image/png" } as const;
export const call: Item = { type: "tool-call", callId: "c", name: "rain", arguments: '{"city":"Oslo"}' };
export const result: Item = { type: "tool-result", callId: "c", output: [{ type: "text", text: "No." }] };
export const thought = (state: object, text = "Hm."): Item => ({
  type: "reasoning",
  text,
  providerState: { provider: "anthropic", state: { origin, ...state } },
});
