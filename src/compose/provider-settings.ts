import { z } from "zod";
import type { Proxies } from "../adapters/upstream/upstream-call.ts";
import { duration, list, switchedOn, text } from "./setting-kinds.ts";

/** Paths of calls, which the SDK adds itself. */
const endpoint = /\/(responses|chat\/completions|completions|models)\/*$/;
export const headerLine = /^([!#$%&'*+.^_`|~\w-]+)[ \t]*:[ \t]*([\t\x20-\x7e\x80-\xff]*)$/;
/** An api, or an api/model. */
export const linkPattern = /^[a-z][a-z0-9_.-]{0,63}(\/.+)?$/;
/** Headers that frame a call; another value would break it. */
export const framingHeaders = new Set([
  "connection",
  "content-length",
  "host",
  "transfer-encoding",
  "upgrade",
]);
const proxySchemes = new Set(["http:", "https:"]);

/** Why an address cannot be a base URL; `undefined` if it can. The value is not quoted, because it may contain a password. */
export function whyNoBaseUrl(address: string): string | undefined {
  if (!URL.canParse(address) || !/^https?:\/\//i.test(address))
    return "must be an address such as http://host:port/v1";
  const { username, password, search, hash, pathname } = new URL(address);
  if (username !== "" || password !== "") return "must have no user name or password in it";
  if (search !== "" || hash !== "") return "must end with its path, without ? or #";
  return endpoint.test(pathname) ? "must end before the name of the call, as http://host:port/v1" : undefined;
}

export function readBaseUrl(address: string, context: z.RefinementCtx): string {
  const fault = whyNoBaseUrl(address);
  if (fault !== undefined) context.addIssue({ code: "custom", message: `it ${fault}` });
  return address.replace(/\/+$/, "");
}

function readBaseUrls(addresses: readonly string[], context: z.RefinementCtx): string[] {
  return addresses.map((address, at) => {
    const fault = whyNoBaseUrl(address);
    if (fault !== undefined) context.addIssue({ code: "custom", message: `entry ${at + 1} ${fault}` });
    return address.replace(/\/+$/, "");
  });
}

/** Reads a proxy's address, with or without a scheme. The value is not quoted, because it may contain a password. */
function readProxy(written: string, context: z.RefinementCtx): string {
  const scheme = /^([a-z][a-z\d+.-]*:)\/\//i.exec(written)?.[1]?.toLowerCase();
  const refuse = (message: string) => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  if (scheme !== undefined && !proxySchemes.has(scheme))
    return refuse(
      `${scheme.slice(0, 20)}// is not a supported proxy scheme; write http://host:port or https://host:port`,
    );
  const address = scheme === undefined ? `http://${written}` : written;
  if (!URL.canParse(address) || (scheme === undefined && !/:\d+\/?$/.test(written)))
    return refuse("it must be http://host:port or https://host:port");
  const { pathname, search, hash } = new URL(address);
  if (pathname !== "/" || search !== "" || hash !== "")
    return refuse("it must end with the proxy's port: a path has no meaning there");
  return address;
}

function readHeaders(written: string, context: z.RefinementCtx): Readonly<Record<string, string>> {
  const headers = new Map<string, string>();
  for (const [at, line] of written.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    const [, name = "", value = ""] = headerLine.exec(line.trim()) ?? [];
    const lower = name.toLowerCase();
    const refuse = (message: string) =>
      context.addIssue({ code: "custom", message: `line ${at + 1} ${message}` });
    if (name === "") refuse("must be a header such as Name: value");
    else if (framingHeaders.has(lower)) refuse(`must not set ${lower}: each call sets its own`);
    else if (headers.has(lower)) refuse(`names ${lower} a second time`);
    headers.set(lower, value.trim());
  }
  return Object.fromEntries(headers);
}

/** The chains, each with its first link. */
function readChains(written: readonly string[], context: z.RefinementCtx): string[][] {
  return written.map((chain, at) => {
    const links = chain.split(">").map((link) => link.trim());
    const isBad = links.length < 2 || links.some((link) => !linkPattern.test(link));
    if (isBad)
      context.addIssue({
        code: "custom",
        message: `entry ${at + 1} must name two or more links, each as api or api/model`,
      });
    return links;
  });
}

const proxy = text.transform(readProxy).optional();

/** The settings of providers and of the way to them. */
export const providerSettings = {
  openaiApiKey: { name: "OPENAI_API_KEY", schema: text.optional(), help: "key of the OpenAI API" },
  openaiBaseUrl: {
    name: "OPENAI_BASE_URL",
    schema: text.transform(readBaseUrl).optional(),
    help: "another server with OpenAI's Responses API or Chat Completions, as http://host:port/v1",
  },
  openaiOrganization: {
    name: "OPENAI_ORG_ID",
    schema: text.optional(),
    help: "organization to bill, if the key belongs to several",
  },
  openaiProject: {
    name: "OPENAI_PROJECT_ID",
    schema: text.optional(),
    help: "project to bill, if the key belongs to several",
  },
  openaiHeaders: {
    name: "OPENAI_CUSTOM_HEADERS",
    schema: text.transform(readHeaders).optional(),
    help: "further headers of calls with OPENAI_API_KEY or OPENAI_BASE_URL, as Name: value, a line each",
    hasLines: true,
  },
  openaiTransport: {
    name: "OPENAI_TRANSPORT",
    schema: z.enum(["http", "websocket"]).default("http"),
    help: "how calls with OPENAI_API_KEY or OPENAI_BASE_URL travel: http, or websocket, which is http where a server has none",
  },
  model: {
    name: "TROUPE_MODEL",
    schema: text.default("gpt-4o-mini"),
    help: "model of requests that name none",
  },
  fallback: {
    name: "TROUPE_FALLBACK",
    schema: list.transform(readChains).optional(),
    help: "api or model that answers if another one fails before its answer has begun, as openai/gpt-4o>anthropic>groq; several chains comma-separated",
    hasParts: true,
  },
  localProviders: {
    name: "TROUPE_LOCAL_PROVIDERS",
    schema: list
      .transform(readBaseUrls)
      .default(["http://127.0.0.1:11434/v1", "http://127.0.0.1:1234/v1", "http://127.0.0.1:8080/v1"]),
    help: "where to look for local models when no key is set, comma-separated; empty looks nowhere",
    hasParts: true,
  },
  httpProxy: {
    name: "HTTP_PROXY",
    schema: proxy,
    help: "proxy of calls to http: addresses, as http://host:port; this machine is called without one",
    lowerCaseToo: true,
  },
  httpsProxy: {
    name: "HTTPS_PROXY",
    schema: proxy,
    help: "proxy of calls to https: addresses, as http://host:port",
    lowerCaseToo: true,
  },
  allProxy: {
    name: "ALL_PROXY",
    schema: proxy,
    help: "proxy of calls that have none by HTTP_PROXY or HTTPS_PROXY",
    lowerCaseToo: true,
  },
  noProxy: {
    name: "NO_PROXY",
    schema: text.optional(),
    help: "hosts that are called without a proxy: names, .domains, addresses, CIDR blocks, each with :port if only that is meant, comma-separated; * for all",
    hasParts: true,
    lowerCaseToo: true,
  },
  firstByteMs: {
    name: "TROUPE_FIRST_BYTE_MS",
    schema: duration(undefined, 1),
    help: "max wait for a provider's first event; default 60000, and 600000 for one on this machine or in a private network, whose model may have to load",
  },
  idleMs: {
    name: "TROUPE_IDLE_MS",
    schema: duration(300_000, 1),
    help: "max silence of a provider after its first event",
  },
  fastReads: {
    name: "TROUPE_FAST_READS",
    schema: switchedOn,
    help: "read providers' answers past Node's HTTP parser, which costs less; set false if a new release of Node breaks it",
  },
} as const;

interface ProxySettings {
  readonly httpProxy: string | undefined;
  readonly httpsProxy: string | undefined;
  readonly allProxy: string | undefined;
  readonly noProxy: string | undefined;
}

/** The proxies of calls, from the settings. */
export function proxiesOf({ httpProxy, httpsProxy, allProxy, noProxy }: ProxySettings): Proxies {
  return { http: httpProxy, https: httpsProxy, all: allProxy, none: noProxy };
}
