import type { JsonObject } from "../../ports/json.ts";

/*
 * The request of the Messages API, as far as it is sent (`POST /v1/messages`, version 2023-06-01). A type test compares it with
 * `MessageCreateParamsStreaming` of the official SDK.
 */

interface Cached {
  /** Marks the end of a text that the next request starts with as well. */
  readonly cache_control?: { readonly type: "ephemeral" };
}

export type ImageType = "image/jpeg" | "image/png" | "image/gif" | "image/webp";

interface TextBlock extends Cached {
  readonly type: "text";
  readonly text: string;
}

interface UrlSource {
  readonly type: "url";
  readonly url: string;
}

interface ImageBlock extends Cached {
  readonly type: "image";
  readonly source:
    | UrlSource
    | { readonly type: "base64"; readonly media_type: ImageType; readonly data: string };
}

interface DocumentBlock extends Cached {
  readonly type: "document";
  readonly title?: string;
  readonly source:
    | UrlSource
    | { readonly type: "base64"; readonly media_type: "application/pdf"; readonly data: string }
    | { readonly type: "text"; readonly media_type: "text/plain"; readonly data: string };
}

export type ContentBlock = TextBlock | ImageBlock | DocumentBlock;

interface ToolResultBlock extends Cached {
  readonly type: "tool_result";
  readonly tool_use_id: string;
  readonly content: string | ContentBlock[];
}

/** `thinking`, `redacted_thinking` and `tool_use` are the assistant's. `tool_result`, images and documents are the user's. */
export type Block =
  | ContentBlock
  | ToolResultBlock
  | { readonly type: "thinking"; readonly thinking: string; readonly signature: string }
  | { readonly type: "redacted_thinking"; readonly data: string }
  | { readonly type: "tool_use"; readonly id: string; readonly name: string; readonly input: JsonObject };

export interface RequestMessage {
  readonly role: "user" | "assistant";
  readonly content: string | Block[];
}

export type Effort = "low" | "medium" | "high" | "xhigh" | "max";

export type Thinking =
  | { readonly type: "adaptive"; readonly display?: "summarized" }
  | { readonly type: "enabled"; readonly budget_tokens: number }
  | { readonly type: "disabled" };

interface OneAtATime {
  readonly disable_parallel_tool_use?: boolean;
}

export type ToolChoice =
  | ({ readonly type: "auto" | "any" } & OneAtATime)
  | ({ readonly type: "tool"; readonly name: string } & OneAtATime)
  | { readonly type: "none" };

export interface MessagesRequest {
  readonly model: string;
  readonly max_tokens: number;
  readonly messages: readonly RequestMessage[];
  readonly stream: true;
  readonly system?: string;
  readonly temperature?: number;
  readonly top_p?: number;
  readonly stop_sequences?: string[];
  readonly metadata?: { readonly user_id: string };
  readonly service_tier?: "auto" | "standard_only";
  readonly thinking?: Thinking;
  readonly output_config?: {
    readonly effort?: Effort;
    readonly format?: { readonly type: "json_schema"; readonly schema: JsonObject };
  };
  readonly tools?: readonly JsonObject[];
  readonly tool_choice?: ToolChoice;
}
