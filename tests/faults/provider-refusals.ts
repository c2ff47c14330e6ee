import type { ErrorCode } from "../../src/protocol/errors.ts";

/** A word that occurs in no sentence of ours. */
export const theirWords = "Zanzibar";
export const askedModel = "gpt-9-nonsense";

/** A refusal by a provider or a proxy, and the advice that the client gets. */
interface ProviderRefusal {
  readonly kind: string;
  readonly status: number;
  /** The error object, or a body without one. */
  readonly error: object | string;
  readonly code: ErrorCode;
  /** The advice that follows the sentence of the code. */
  readonly advice: RegExp;
}

const key = /^Check OPENAI_API_KEY: it is missing, wrong, expired or revoked\.$/;
const unknown = /^The model is "gpt-9-nonsense": name another in the request or in TROUPE_MODEL\.$/;
const long = /^Shorten it, start a new conversation, or lower TROUPE_CONTEXT_CHARS\.$/;
const credit = /^Add credit to the account of OPENAI_API_KEY, or raise its limit\.$/;
const address = /check OPENAI_BASE_URL/i;
const temperature = /^Parameter: temperature\.$/;

/** Every kind of refusal in the forms in which servers are known to send it. */
export const providerRefusals: readonly ProviderRefusal[] = [
  ...[
    {
      kind: "OpenAI's",
      status: 401,
      error: { code: "invalid_api_key", message: `Incorrect key: ${theirWords}.` },
    },
    { kind: "without a code", status: 401, error: { message: theirWords } },
    { kind: "Anthropic's", status: 401, error: { type: "authentication_error", message: theirWords } },
    { kind: "a page", status: 401, error: `<h1>${theirWords}</h1>` },
    {
      kind: "Gemini's, under 400",
      status: 400,
      error: { code: 400, message: "API key not valid. Pass a valid API key." },
    },
  ].map((row) => ({
    ...row,
    kind: `a key that is refused: ${row.kind}`,
    code: "upstream_auth" as const,
    advice: key,
  })),
  {
    kind: "a country that is not served",
    status: 403,
    error: { code: "unsupported_country_region_territory", message: theirWords },
    code: "upstream_auth",
    advice: /^It does not serve the country from which this server calls\.$/,
  },
  {
    kind: "a key without the permission",
    status: 403,
    error: { type: "permission_error", message: theirWords },
    code: "upstream_auth",
    advice: /^OPENAI_API_KEY may not do this: check its permissions, its project/,
  },
  {
    kind: "a project of somebody else",
    status: 401,
    error: { code: "mismatched_project", message: theirWords },
    code: "upstream_auth",
    advice: /^OPENAI_API_KEY is not a key of the organization or project that is set\.$/,
  },
  {
    kind: "an address that is not on the list",
    status: 401,
    error: { code: "ip_not_authorized", message: theirWords },
    code: "upstream_auth",
    advice: /may not be used from the address of this server/,
  },
  {
    kind: "a firewall's page",
    status: 403,
    error: `<h1>Access denied: ${theirWords}</h1>`,
    code: "upstream_auth",
    advice: /OPENAI_BASE_URL; a proxy or firewall on the way/,
  },
  ...[
    { kind: "OpenAI's", status: 404, error: { code: "model_not_found", message: theirWords } },
    { kind: "by its parameter", status: 400, error: { param: "model", message: theirWords } },
    { kind: "Azure's", status: 404, error: { code: "DeploymentNotFound", message: theirWords } },
    {
      kind: "Ollama's",
      status: 404,
      error: { type: "not_found_error", message: `model "${askedModel}" not found, try pulling it first` },
    },
    {
      kind: "vLLM's",
      status: 404,
      error: { type: "NotFoundError", code: 404, message: `The model \`${askedModel}\` does not exist.` },
    },
    {
      kind: "DeepSeek's",
      status: 400,
      error: { code: "invalid_request_error", type: "invalid_request_error", message: "Model Not Exist" },
    },
    {
      kind: "OpenRouter's",
      status: 400,
      error: { code: 400, message: `${askedModel} is not a valid model ID` },
    },
    {
      kind: "Mistral's",
      status: 400,
      error: { type: "invalid_model", message: `Invalid model: ${askedModel}` },
    },
    {
      kind: "Groq's, of a retired one",
      status: 400,
      error: { code: "model_decommissioned", message: theirWords },
    },
  ].map((row) => ({
    ...row,
    kind: `an unknown model: ${row.kind}`,
    code: "model_not_found" as const,
    advice: unknown,
  })),
  ...[
    { kind: "named as such", error: { param: "temperature", message: theirWords } },
    {
      kind: "OpenAI's words",
      error: { message: `Unsupported parameter: 'temperature' is not supported with ${theirWords}.` },
    },
    {
      kind: "a bad value",
      error: { param: null, message: "Invalid value for 'temperature': expected a number." },
    },
    {
      kind: "Anthropic's words",
      error: { type: "invalid_request_error", message: "temperature: Extra inputs are not permitted" },
    },
    { kind: "Groq's words", error: { message: "property 'temperature' is unsupported" } },
    {
      kind: "FastAPI's list",
      status: 422,
      error: JSON.stringify({ detail: [{ loc: ["body", "temperature"], msg: theirWords }] }),
    },
  ].map((row) => ({
    status: 400,
    ...row,
    kind: `a parameter that it would not take: ${row.kind}`,
    code: "upstream_invalid_request" as const,
    advice: temperature,
  })),
  {
    kind: "a parameter whose name is none of ours",
    status: 400,
    error: { param: theirWords, message: theirWords },
    code: "upstream_invalid_request",
    advice: /^The server's log says why\.$/,
  },
  ...[
    {
      kind: "OpenAI's",
      status: 429,
      error: { code: "insufficient_quota", type: "insufficient_quota", message: theirWords },
    },
    { kind: "by its status", status: 402, error: { message: theirWords } },
    {
      kind: "DeepSeek's",
      status: 402,
      error: { message: "Insufficient Balance", type: "unknown_error", code: "invalid_request_error" },
    },
    { kind: "Anthropic's", status: 402, error: { type: "billing_error", message: theirWords } },
    { kind: "Moonshot's", status: 429, error: { type: "exceeded_current_quota_error", message: theirWords } },
    {
      kind: "a limit of one's own",
      status: 400,
      error: { code: "billing_hard_limit_reached", message: theirWords },
    },
  ].map((row) => ({
    ...row,
    kind: `credit that is used up: ${row.kind}`,
    code: "quota_exceeded" as const,
    advice: credit,
  })),
  ...[
    {
      kind: "OpenAI's",
      status: 400,
      error: { code: "context_length_exceeded", param: "input", message: theirWords },
    },
    { kind: "one string", status: 400, error: { code: "string_above_max_length", message: theirWords } },
    {
      kind: "llama.cpp's",
      status: 400,
      error: { code: 400, type: "exceed_context_size_error", message: theirWords, n_ctx: 4096 },
    },
    {
      kind: "llama.cpp's, under 500",
      status: 500,
      error: { code: 500, message: "the request exceeds the available context size, try increasing it" },
    },
    {
      kind: "vLLM's",
      status: 400,
      error: { type: "BadRequestError", message: "This model's maximum context length is 4096 tokens." },
    },
    {
      kind: "Anthropic's",
      status: 400,
      error: { type: "invalid_request_error", message: "prompt is too long: 213462 tokens > 200000 maximum" },
    },
    { kind: "a gateway's", status: 413, error: "<h1>413 Request Entity Too Large</h1>" },
  ].map((row) => ({
    ...row,
    kind: `a text that is too long: ${row.kind}`,
    code: "context_length_exceeded" as const,
    advice: long,
  })),
  ...[
    { kind: "no such page", status: 404, error: `<h1>${theirWords}</h1>` },
    { kind: "FastAPI's", status: 404, error: '{"detail":"Not Found"}' },
    { kind: "no such method", status: 405, error: "" },
    { kind: "not built", status: 501, error: "" },
  ].map((row) => ({
    ...row,
    kind: `an address without the API: ${row.kind}`,
    code: (row.status === 501 ? "upstream_error" : "upstream_invalid_request") as ErrorCode,
    advice: address,
  })),
  {
    kind: "a proxy that wants a password",
    status: 407,
    error: "",
    code: "upstream_unreachable",
    advice: /HTTPS_PROXY or HTTP_PROXY \(http:\/\/name:password@host:port\)/,
  },
];
