import { count } from "./setting-kinds.ts";

/** The settings that limit how much may be open or in flight at a time. */
export const limitSettings = {
  maxConnections: { name: "TROUPE_MAX_CONNECTIONS", schema: count(10_000, 1), help: "most sockets" },
  maxConnectionsPerKey: {
    name: "TROUPE_MAX_CONNECTIONS_PER_KEY",
    schema: count(10_000, 1),
    help: "most sockets of one key, unless the key says otherwise",
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
    help: "most requests in flight on one socket",
  },
  maxRequestsPerOwner: {
    name: "TROUPE_MAX_REQUESTS_PER_OWNER",
    schema: count(2_000, 1),
    help: "most requests in flight of one owner",
  },
  maxRequests: {
    name: "TROUPE_MAX_REQUESTS",
    schema: count(4_000, 1),
    help: "most requests in flight in all",
  },
} as const;
