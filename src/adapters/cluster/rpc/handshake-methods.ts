import { z } from "zod";
import type { RateCounter } from "../../../ports/rate-counter.ts";
import type { SocketPlaces } from "../../../ports/socket-places.ts";
import type { Tickets } from "../../../ports/tickets.ts";
import { type Methods, nothing } from "./remote-port.ts";

const text = z.string();
const limit = z.int().exactOptional();

/** The limits of a key or of a group. */
export const limits = z.object({
  connections: limit,
  requestsPerMinute: limit,
  requestsInFlight: limit,
  tokensPerDay: limit,
});

const group = z.object({ id: text, name: text, limits });

export const caller = z.object({
  owner: text,
  keyId: text,
  limits,
  groups: z.array(group).readonly().exactOptional(),
});

/** Tickets between processes: a ticket that one process issues opens one socket, in any process. */
export const ticketMethods: Methods<Tickets> = {
  issue: [z.tuple([caller]), text],
  redeem: [z.tuple([text]), caller.optional()],
};

const noPlace = z.object({ isServerFull: z.boolean(), message: text }).optional();

/** Places of sockets, which all processes share. */
export const placeMethods: Methods<SocketPlaces> = {
  take: [z.tuple([caller]), noPlace],
  whyNone: [z.tuple([caller]), noPlace],
  leave: [z.tuple([caller]), nothing],
};

/** Counts, which all processes share. */
export const counterMethods: Methods<RateCounter> = {
  add: [z.tuple([text]), z.object({ count: z.int(), windowEndsInMs: z.number() })],
};
