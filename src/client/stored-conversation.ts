import { type ErrorCode, errorTable } from "../protocol/errors.ts";
import { type Changing, resolved } from "./connection.ts";
import { type Fetch, httpAddress, keyHeaders } from "./handshake-refusal.ts";
import { connectionRefusals, type RequestFailure, TroupeRequestError } from "./request-error.ts";

/** A message of a conversation in the form of the server's HTTP interface. */
export interface StoredMessage {
  readonly id: string;
  readonly parent_id?: string;
  /** The request of this question or answer; `resume` follows it. */
  readonly request_id?: string;
  readonly role: "user" | "assistant";
  readonly persona_id?: string;
  readonly persona_name?: string;
  readonly text: string;
  readonly status: "completed" | "failed" | "cancelled";
  /** UTC, e.g. `2026-11-22T22:05:38.123Z`. */
  readonly created_at: string;
}

/** A stored conversation, its messages oldest first. */
export interface StoredConversation {
  readonly id: string;
  readonly title: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly head_id?: string;
  readonly messages: readonly StoredMessage[];
}

interface ReadOptions {
  readonly url: Changing<string>;
  readonly protocols: Changing<readonly string[]>;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: Fetch;
}

/** Reads a conversation over HTTP, from `api/conversations/` beside the socket. */
export async function readConversation(id: string, options: ReadOptions): Promise<StoredConversation> {
  const [url, protocols] = await Promise.all([resolved(options.url), resolved(options.protocols)]);
  const place = new URL(`api/conversations/${encodeURIComponent(id)}`, httpAddress(url));
  const headers = { ...keyHeaders(protocols), ...options.headers };
  const { status, body } = await read(place.href, headers, options.fetch);
  if (status === 200 && isConversation(body)) return body;
  const { code, message = `The server answered with ${status}.` } = body;
  throw new TroupeRequestError({ ...kindOf(code), message: String(message) });
}

async function read(url: string, headers: Record<string, string>, fetch: Fetch) {
  try {
    const response = await fetch(url, {
      ...{ method: "GET", headers, credentials: "include", cache: "no-store", redirect: "manual" },
    });
    const parsed: unknown = JSON.parse(await response.text());
    const body: Record<string, unknown> = typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
    return { status: response.status, body };
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    const message = `The conversation could not be read: ${words}`;
    throw new TroupeRequestError({ code: "lost", message, retryable: true });
  }
}

/** Checks only the part that readers iterate; other fields stay as the server sent them. */
function isConversation(body: object): body is StoredConversation {
  return "messages" in body && Array.isArray(body.messages);
}

/** Maps an answer's code. An answer from another program, such as a proxy, has no code of ours. */
function kindOf(code: unknown): Pick<RequestFailure, "code" | "retryable"> {
  const refusal = connectionRefusals.find((known) => known === code);
  if (refusal !== undefined) return { code: refusal, retryable: false };
  if (typeof code !== "string" || !Object.hasOwn(errorTable, code)) return { code: "lost", retryable: true };
  const known = code as ErrorCode;
  return { code: known, retryable: errorTable[known].retryable };
}
