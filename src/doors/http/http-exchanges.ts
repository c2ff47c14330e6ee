import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../ports/clock.ts";
import { type ClientAddress, networkOf } from "../identity/client-address.ts";
import { probePaths } from "./http-listener.ts";

export interface HttpExchangesOptions {
  readonly clock: Clock;
  /** Max requests answered at a time; further ones get 503. */
  readonly maxInAll: number;
  /** Max requests answered at a time for one client address (the first 64 bits of an IPv6 address). */
  readonly maxPerAddress: number;
  readonly clientAddress: ClientAddress;
  /** Time after which a request that got 503 should be repeated, milliseconds. */
  readonly retryAfterMs: () => number;
}

type HttpListener = (request: IncomingMessage, response: ServerResponse) => void;

/** The requests that are being answered. */
interface HttpExchanges {
  /** Wraps a listener: keeps the limits, and cuts connections whose client has stopped reading. */
  guard(listener: HttpListener): HttpListener;
}

/** Time between two checks of a connection, and the checks without a byte taken that end it: it has 30 to 40 s. */
const lookMs = 10_000;
const maxLooks = 3;

/** Probes are answered even if the server is full: their answers are a few bytes. */
const unlimitedPaths: ReadonlySet<string> = new Set(Object.values(probePaths));

/** One request, from its head until its answer was taken completely or its connection has ended. */
class Exchange {
  readonly address: string;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #looks = 0;
  #written = 0;
  #unread = 0;

  constructor(address: string, request: IncomingMessage, response: ServerResponse) {
    this.address = address;
    this.#request = request;
    this.#response = response;
  }

  /** Cuts the connection if bytes are waiting and none was taken for too long. */
  look(): void {
    const { socket } = this.#request;
    const unread = socket.writableLength + this.#response.writableLength;
    // New bytes are written only after the earlier ones were taken.
    const isStuck = unread > 0 && unread === this.#unread && socket.bytesWritten === this.#written;
    this.#looks = isStuck ? this.#looks + 1 : 0;
    this.#unread = unread;
    this.#written = socket.bytesWritten;
    if (this.#looks >= maxLooks) socket.destroy();
  }
}

/**
 * Limits how many requests are answered at a time and how long a client may leave its answer unread, on any HTTP server. WebSockets are
 * not requests and do not count.
 */
export function createHttpExchanges({
  clock,
  maxInAll,
  maxPerAddress,
  clientAddress,
  retryAfterMs,
}: HttpExchangesOptions): HttpExchanges {
  const open = new Set<Exchange>();
  const countByAddress = new Map<string, number>();
  let stopLooking: (() => void) | undefined;

  function lookLater(): void {
    stopLooking = clock.callAfter(lookMs, () => {
      for (const exchange of open) exchange.look();
      lookLater();
    });
  }

  function add(exchange: Exchange): void {
    if (open.size === 0) lookLater();
    open.add(exchange);
    count(exchange, 1);
  }

  function remove(exchange: Exchange): void {
    open.delete(exchange);
    if (open.size === 0) stopLooking?.();
    count(exchange, -1);
  }

  function count({ address }: Exchange, change: 1 | -1): void {
    const now = (countByAddress.get(address) ?? 0) + change;
    if (now === 0) countByAddress.delete(address);
    else countByAddress.set(address, now);
  }

  function hasRoom({ address }: Exchange): boolean {
    return open.size < maxInAll && (countByAddress.get(address) ?? 0) < maxPerAddress;
  }

  return {
    guard: (listener) => (request, response) => {
      const exchange = new Exchange(networkOf(clientAddress(request)), request, response);
      const isLimited = !unlimitedPaths.has(request.url?.split("?", 1)[0] ?? "");
      if (isLimited && !hasRoom(exchange)) return refuse(response, retryAfterMs());
      add(exchange);
      response.once("close", () => remove(exchange));
      listener(request, response);
    },
  };
}

function refuse(response: ServerResponse, retryAfterMs: number): void {
  const body = JSON.stringify({
    code: "overloaded",
    message: "Too many requests are being answered. Please try again later.",
  });
  response.writeHead(503, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))),
    connection: "close",
  });
  response.end(body);
}
