import { absoluteUrl, ask, type Fetch, failureOf, httpAddress } from "./handshake-refusal.ts";
import { TroupeRequestError } from "./request-error.ts";

export interface TicketUrlOptions {
  /** The socket's address, e.g. `wss://chat.example.com/ws`. Tickets are requested at `api/tickets` beside it. */
  readonly url: string;
  /** A caller's key. Leave it out if `headers` identify the caller. */
  readonly key?: string;
  /** Headers of the request for a ticket. Default none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the global `fetch`. */
  readonly fetch?: Fetch;
}

/**
 * A `url` for `createTroupeClient` that fetches a fresh ticket before each attempt. It rejects with a `TroupeRequestError`:
 * `unauthenticated` and `forbidden` end the client's attempts; 429 and 503 say when to try again.
 *
 * @example
 * import { createTroupeClient, ticketUrl } from "troupe/client";
 *
 * const key = "a key of this server";
 * const troupe = createTroupeClient({ url: ticketUrl({ url: "wss://chat.example.com/ws", key }) });
 */
export function ticketUrl({ url, key, headers = {}, fetch }: TicketUrlOptions): () => Promise<string> {
  return async () => {
    const shown = { ...headers, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) };
    const place = new URL("api/tickets", httpAddress(url)).href;
    const answer = await ask(place, shown, fetch ?? globalThis.fetch, undefined, "POST");
    const { status, body, message = `The request for a ticket was answered with ${status}.` } = answer;
    if (status === 401) throw new TroupeRequestError(failureOf("unauthenticated", message));
    if (status === 403) throw new TroupeRequestError(failureOf("forbidden", message));
    if (status !== 201 || typeof body.ticket !== "string") {
      const { retryAfterMs } = answer;
      throw new TroupeRequestError({ code: "lost", message, retryable: true, retryAfterMs });
    }
    const address = absoluteUrl(url);
    address.searchParams.set("ticket", body.ticket);
    return address.href;
  };
}
