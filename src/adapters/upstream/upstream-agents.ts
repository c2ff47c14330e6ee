import http from "node:http";
import https from "node:https";
import { FastReads } from "./fast/fast-reads.ts";
import { readNoProxy } from "./no-proxy.ts";

/** The proxies of calls, each as `http://host:port`, with a user name and password if the proxy wants them. */
export interface Proxies {
  /** For `http:` addresses. */
  readonly http?: string | undefined;
  /** For `https:` addresses. */
  readonly https?: string | undefined;
  /** For addresses of both kinds that have no proxy of their own. */
  readonly all?: string | undefined;
  /** Addresses to call directly, in the form of `NO_PROXY`. Loopback is always called directly. */
  readonly none?: string | undefined;
}

const kept = { keepAlive: true, scheduling: "lifo" } as const;

/** Connections to upstreams, direct or over a proxy, kept for later calls. The environment is not read. */
export function createUpstreamAgents(proxies: Proxies = {}, fastReads = new FastReads()) {
  const noProxy = readNoProxy(proxies.none ?? "");
  const proxyOf = {
    "http:": proxies.http ?? proxies.all,
    "https:": proxies.https ?? proxies.all,
  } as const;
  const direct = { "http:": new http.Agent(kept), "https:": new https.Agent(kept) };
  const proxied = {
    "http:": over(proxyOf["http:"], (proxyEnv) => new http.Agent({ ...kept, proxyEnv })),
    "https:": over(proxyOf["https:"], (proxyEnv) => new https.Agent({ ...kept, proxyEnv })),
  };
  const schemeOf = (url: URL) => (url.protocol === "https:" ? "https:" : "http:");
  const isProxied = (url: URL) => proxied[schemeOf(url)] !== undefined && !noProxy.covers(url);

  return {
    /** Opens the fast way to read a connection. */
    fastReads,
    /** The agents without a proxy. */
    http: direct["http:"],
    https: direct["https:"],
    /** The agent that makes connections to this address. */
    agentFor(url: URL): http.Agent {
      const scheme = schemeOf(url);
      return (isProxied(url) ? proxied[scheme] : undefined) ?? direct[scheme];
    },
    /** Host and port of the proxy for this address, without its credentials. */
    proxyFor(url: URL): string | undefined {
      const proxy = proxyOf[schemeOf(url)];
      return proxy === undefined || !isProxied(url) ? undefined : new URL(proxy).host;
    },
    /** The passwords of the proxies, in each form that an error may quote. */
    secrets: Object.values(proxyOf).flatMap(secretsIn),
    [Symbol.dispose]() {
      for (const agent of [...Object.values(direct), ...Object.values(proxied)]) agent?.destroy();
    },
  };
}

export type UpstreamAgents = ReturnType<typeof createUpstreamAgents>;

function over<T>(proxy: string | undefined, make: (proxyEnv: NodeJS.ProcessEnv) => T): T | undefined {
  return proxy === undefined ? undefined : make({ HTTP_PROXY: proxy, HTTPS_PROXY: proxy });
}

/** The password as written in the address and as sent. */
function secretsIn(proxy: string | undefined): string[] {
  if (proxy === undefined) return [];
  const { username, password } = new URL(proxy);
  if (password === "") return [];
  const plain = decodeURIComponent(password);
  const sent = Buffer.from(`${decodeURIComponent(username)}:${plain}`).toString("base64");
  return [password, plain, sent];
}
