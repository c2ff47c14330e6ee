import { longestRetryAfterMs } from "../protocol/closes.ts";
import type { RequestFailure } from "./request-error.ts";

/** The part of the standard `fetch` that the client uses. */
export type Fetch = (
  url: string,
  options: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly credentials: "include";
    readonly cache: "no-store";
    readonly redirect: "manual";
    readonly signal?: AbortSignal;
  },
) => Promise<{
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: { cancel(): Promise<void> } | null;
  text(): Promise<string>;
}>;

/** The target of an attempt to connect. */
export interface Target {
  readonly url: string;
  readonly protocols: readonly string[];
  /** The address is fetched again before the next attempt. */
  readonly isFresh: boolean;
}

/** The server's verdict on a failed attempt: a final failure, or a sentence and perhaps the time to wait. */
export type Verdict =
  | { readonly failure: RequestFailure }
  | { readonly reason: string; readonly retryAfterMs: number | undefined };

/** A longer body is not ours and is not read. */
const maxBodyBytes = 4_096;
const maxMessageChars = 500;
const tokenProtocol = "troupe.token.";
const refusalCodes = { 401: "unauthenticated", 403: "forbidden" } as const;
const knownCodes = ["unauthenticated", "forbidden", "forbidden_origin", "forbidden_proxy"] as const;

/**
 * Asks by HTTP why a handshake failed, because browsers do not tell: the server answers a plain request like the handshake. The key is
 * sent as the handshake sent it. A ticket is left out, because it is valid for one socket only. `undefined` if there is no useful answer,
 * for example if the server does not answer at all.
 */
export async function askWhyRefused(
  { url, protocols, isFresh }: Target,
  fetch: Fetch,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  const headers = keyHeaders(protocols);
  try {
    const address = httpAddress(url);
    const usedTicket = address.searchParams.has("ticket");
    address.searchParams.delete("ticket");
    const response = await ask(address.href, headers, fetch, signal);
    const { status } = response;
    // Without its ticket the request has no credential: the next attempt has another ticket.
    if (status === 401 && usedTicket) {
      const reason = "The ticket was refused: it opens one socket, within its time.";
      return isFresh
        ? { reason, retryAfterMs: undefined }
        : { failure: failureOf("unauthenticated", reason) };
    }
    if (status === 401 || status === 403) {
      const code = knownCodes.find((known) => known === response.code) ?? refusalCodes[status];
      return { failure: failureOf(code, response.message ?? `The server refused with ${status}.`) };
    }
    if (![421, 429, 503].includes(status)) return undefined;
    const reason = response.message ?? `The server refused with ${status}.`;
    return { reason, retryAfterMs: status === 421 ? undefined : response.retryAfterMs };
  } catch {
    // This request failed for the same reason as the attempt.
    return undefined;
  }
}

/** The key in the subprotocols, as a header. There is none if they have two keys, which the server refuses. */
export function keyHeaders(protocols: readonly string[]): Record<string, string> {
  const [token, ...more] = protocols.filter((protocol) => protocol.startsWith(tokenProtocol));
  if (token === undefined || more.length > 0) return {};
  return { authorization: `Bearer ${token.slice(tokenProtocol.length)}` };
}

/** Sends a request and reads the reason of a refusal from its answer. Rejects like `fetch`. */
export async function ask(
  url: string,
  headers: Record<string, string>,
  fetch: Fetch,
  signal?: AbortSignal,
  method = "GET",
) {
  const response = await fetch(url, {
    ...{ method, headers, credentials: "include", cache: "no-store", redirect: "manual" },
    ...(signal === undefined ? {} : { signal }),
  });
  const seconds = response.headers.get("retry-after") ?? "";
  const retryAfterMs = /^\d{1,9}$/.test(seconds)
    ? Math.min(Number(seconds) * 1_000, longestRetryAfterMs)
    : undefined;
  const body = await readBody(response);
  return { status: response.status, retryAfterMs, body, code: body.code, message: messageIn(body) };
}

async function readBody(response: Awaited<ReturnType<Fetch>>): Promise<Record<string, unknown>> {
  const bytes = Number(response.headers.get("content-length") ?? maxBodyBytes + 1);
  const isJson = (response.headers.get("content-type") ?? "").startsWith("application/json");
  if (!isJson || bytes > maxBodyBytes) {
    await response.body?.cancel();
    return {};
  }
  const parsed: unknown = JSON.parse(await response.text());
  return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
}

function messageIn({ message }: Record<string, unknown>): string | undefined {
  return typeof message === "string" ? message.slice(0, maxMessageChars) : undefined;
}

export function failureOf(code: RequestFailure["code"], message: string): RequestFailure {
  return { code, message, retryable: false };
}

/** The HTTP address beside a socket's address. Throws a `TypeError` for an invalid address. */
export function httpAddress(url: string): URL {
  const address = absoluteUrl(url);
  address.protocol = /^(wss|https):$/.test(address.protocol) ? "https:" : "http:";
  address.hash = "";
  return address;
}

/** Resolves an address that may be relative to the page. Throws a `TypeError` for an invalid address. */
export function absoluteUrl(url: string): URL {
  const { location } = globalThis as { readonly location?: { readonly href: string } };
  return new URL(url, location?.href);
}
