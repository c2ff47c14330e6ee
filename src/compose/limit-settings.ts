import { z } from "zod";
import { count } from "./setting-kinds.ts";

/** Bytes. The process computes a default unless they are set. */
const bytes = z.coerce.number().int().min(1).optional();

/** The settings that limit how much may be open or in flight at a time. */
export const limitSettings = {
  maxConnections: { name: "TROUPE_MAX_CONNECTIONS", schema: count(10_000, 1), help: "max sockets" },
  maxConnectionsPerKey: {
    name: "TROUPE_MAX_CONNECTIONS_PER_KEY",
    schema: count(10_000, 1),
    help: "max sockets of one key, unless the key has its own limit",
  },
  maxHttpConnections: {
    name: "TROUPE_MAX_HTTP_CONNECTIONS",
    schema: count(1_000, 1),
    help: "max HTTP requests being answered at a time; sockets are not among them",
  },
  maxHttpConnectionsPerAddress: {
    name: "TROUPE_MAX_HTTP_CONNECTIONS_PER_ADDRESS",
    schema: count(250, 1),
    help: "max HTTP requests being answered at a time for one client address",
  },
  maxRequestsPerConnection: {
    name: "TROUPE_MAX_REQUESTS_PER_CONNECTION",
    schema: count(128, 1),
    help: "max requests in flight on one socket",
  },
  maxRequestsPerKey: {
    name: "TROUPE_MAX_REQUESTS_PER_KEY",
    schema: count(2_000, 1),
    help: "max requests in flight of one key",
  },
  maxRequestsPerOwner: {
    name: "TROUPE_MAX_REQUESTS_PER_OWNER",
    schema: count(2_000, 1),
    help: "max requests in flight of one owner",
  },
  maxRequests: {
    name: "TROUPE_MAX_REQUESTS",
    schema: count(4_000, 1),
    help: "max requests in flight in all",
  },
  maxRequestBytesPerConnection: {
    name: "TROUPE_MAX_REQUEST_BYTES_PER_CONNECTION",
    schema: bytes,
    help: "max bytes that the requests of one socket hold while they wait or run; default a quarter of TROUPE_MAX_REQUEST_BYTES",
  },
  maxRequestBytesPerOwner: {
    name: "TROUPE_MAX_REQUEST_BYTES_PER_OWNER",
    schema: bytes,
    help: "the same for all requests of one owner; default half of TROUPE_MAX_REQUEST_BYTES",
  },
  maxRequestBytes: {
    name: "TROUPE_MAX_REQUEST_BYTES",
    schema: bytes,
    help: "the same for all requests; default a quarter of the heap limit, and at least the size of the largest request",
  },
} as const;
