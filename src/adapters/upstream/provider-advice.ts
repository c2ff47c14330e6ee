import type { ErrorCode, TroupeError } from "../../protocol/errors.ts";

/** The names of the settings of an endpoint. */
export interface EndpointSettings {
  readonly key: string;
  readonly baseUrl: string;
}

/** The operator's words for one API. */
export interface AdviceWords {
  /** The settings of its key and of its address. */
  readonly keySetting: string;
  readonly urlSetting: string;
  /** Its name, such as `Responses API`. */
  readonly api: string;
}

/** A model's name is cut to this length in a sentence. */
const maxNameChars = 100;

const refusedKeys: ReadonlyMap<string, string> = new Map([
  ["unsupported_country_region_territory", "It does not serve the country from which this server calls."],
  ["ip_not_authorized", "{key} may not be used from the address of this server."],
  ["account_deactivated", "The account of {key} is not active."],
  ...["invalid_organization", "mismatched_organization", "invalid_project", "mismatched_project"].map(
    (code) => [code, "{key} is not a key of the organization or project that is set."] as const,
  ),
]);

const noRoute = "There is no way to it: check the network, the firewall and HTTPS_PROXY or HTTP_PROXY.";
const noName = "A host name cannot be resolved: check {url}, the proxy's address and this machine's DNS.";
const unknownIssuer =
  "Its TLS certificate is of an issuer that this machine does not know: name the issuer's file in NODE_EXTRA_CA_CERTS.";
const noTls = "It does not speak TLS at this address: check {url} (https:// or http://, and the port).";

/** Sentences by error code of Node, of its TLS or of its proxies. */
const failedConnections: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "Nothing listens at its address: start it, or check {url} and the proxy's address."],
  ...["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EAI_NODATA", "EAI_NONAME"].map(
    (code) => [code, noName] as const,
  ),
  ...[
    "ETIMEDOUT",
    "EHOSTUNREACH",
    "EHOSTDOWN",
    "ENETUNREACH",
    "ENETDOWN",
    "EADDRNOTAVAIL",
    "EACCES",
    "EPERM",
  ].map((code) => [code, noRoute] as const),
  ...[
    "SELF_SIGNED_CERT_IN_CHAIN",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "UNABLE_TO_GET_ISSUER_CERT",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "CERT_UNTRUSTED",
    "CERT_CHAIN_TOO_LONG",
    "INVALID_CA",
  ].map((code) => [code, unknownIssuer] as const),
  ["CERT_HAS_EXPIRED", "Its TLS certificate has expired, or this machine's clock is wrong."],
  ["CERT_NOT_YET_VALID", "Its TLS certificate is not valid yet, or this machine's clock is wrong."],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "Its TLS certificate is for another host name: check {url}."],
  ["ERR_PROXY_TUNNEL", "The proxy lets nothing through to it: check HTTPS_PROXY and NO_PROXY."],
  ["ERR_PROXY_INVALID_CONFIG", "The proxy's address is not valid: check HTTPS_PROXY and HTTP_PROXY."],
]);

const noApi = "There is no {api} at this address: check {url}.";
const proxyPassword =
  "The proxy wants a name and a password: set them in HTTPS_PROXY or HTTP_PROXY (http://name:password@host:port).";

/**
 * Advice to the operator about a failed call: a sentence with the name of the setting, or nothing if the code is enough. It is made from
 * codes, statuses and the requested `model`, never from a vendor's text.
 */
export function adviceFor(
  { code, detail, cause }: TroupeError,
  model: string,
  { keySetting, urlSetting, api }: AdviceWords,
): string | undefined {
  if (code === "model_not_found") return modelAdvice(model);
  const status = statusOf(cause);
  const sentence = advices[code]?.({ status, codes: codesOf(cause), detail, isBare: isBare(cause) });
  return sentence?.replaceAll("{key}", keySetting).replaceAll("{url}", urlSetting).replaceAll("{api}", api);
}

function modelAdvice(model: string): string {
  // A name from the client may hold any character.
  const name = model.replace(/\p{C}/gu, "").slice(0, maxNameChars);
  return `The model is "${name}": name another in the request or in TROUPE_MODEL.`;
}

interface Failure {
  readonly status: number | undefined;
  /** The codes and types of the vendor, or Node's codes, of the error and of its causes. */
  readonly codes: readonly string[];
  /** The detail that the error already has. */
  readonly detail: string | undefined;
  /** The refusal has no error object, so it does not come from the API. */
  readonly isBare: boolean;
}

const advices: Partial<Record<ErrorCode, (failure: Failure) => string | undefined>> = {
  upstream_auth({ status, codes, isBare }) {
    const known = find(refusedKeys, codes);
    if (known !== undefined) return known;
    if (status !== 403) return "Check {key}: it is missing, wrong, expired or revoked.";
    if (isBare) return "Check {key} and {url}; a proxy or firewall on the way may refuse as well.";
    return "{key} may not do this: check its permissions, its project, and the country from which this server calls.";
  },
  context_length_exceeded: () => "Shorten it, start a new conversation, or lower TROUPE_CONTEXT_CHARS.",
  quota_exceeded: () => "Add credit to the account of {key}, or raise its limit.",
  upstream_invalid_request({ status, detail, isBare }) {
    if (detail !== undefined) return undefined;
    if (status !== 404 && status !== 405) return "The server's log says why.";
    return isBare ? noApi : "Check {url}: the server there may not have the {api}.";
  },
  upstream_error: ({ status }) => (status === 501 ? noApi : undefined),
  upstream_unreachable({ status, codes }) {
    if (status === 407) return proxyPassword;
    if (codes.some((code) => code === "EPROTO" || code.startsWith("ERR_SSL_"))) return noTls;
    return find(failedConnections, codes);
  },
  upstream_invalid({ status, codes }) {
    if (status !== undefined && status >= 300 && status < 400)
      return "It redirects: set {url} to the address to which it leads.";
    const isNoHttp = codes.some((code) => code.startsWith("HPE_"));
    return isNoHttp ? "The server at {url} does not speak HTTP there: check scheme and port." : undefined;
  },
};

function find(sentences: ReadonlyMap<string, string>, codes: readonly string[]): string | undefined {
  for (const code of codes) {
    const sentence = sentences.get(code);
    if (sentence !== undefined) return sentence;
  }
  return undefined;
}

/** An error and its causes, the outermost first. */
function* chainOf(cause: unknown): Generator<object> {
  for (let error = cause; typeof error === "object" && error !== null; error = Reflect.get(error, "cause"))
    yield error;
}

function codesOf(cause: unknown): string[] {
  const values = [...chainOf(cause)].flatMap((error) => [
    Reflect.get(error, "code"),
    Reflect.get(error, "type"),
  ]);
  return values.filter((value) => typeof value === "string");
}

/** The status of the vendor's answer, or of a proxy that refused to connect. */
function statusOf(cause: unknown): number | undefined {
  for (const error of chainOf(cause)) {
    for (const name of ["status", "statusCode"]) {
      const value: unknown = Reflect.get(error, name);
      if (typeof value === "number") return value;
    }
  }
  return undefined;
}

/** Errors of refusals have the object of the body as `error`. */
function isBare(cause: unknown): boolean {
  return cause instanceof Error && "error" in cause && (cause.error === undefined || cause.error === null);
}
