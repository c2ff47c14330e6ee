import type { FaultContext, FaultExpectation, FaultShape } from "./fault-shape.ts";
import type { Script } from "./script.ts";
import { type ApiError, httpError, plainResponse } from "./stream-script.ts";

type Headers = Readonly<Record<string, string>>;

function httpFault(
  name: string,
  script: (context: FaultContext) => Script,
  expect: Omit<FaultExpectation, "outcome">,
): FaultShape {
  return {
    name,
    moments: ["before"],
    script: (_moment, context = {}) => script(context),
    text: () => "",
    expect: { outcome: "error", ...expect },
  };
}

/** A final refusal: another try would be refused as well. */
function refused(status: number, code: string, error: ApiError, suffix = error.code ?? "plain"): FaultShape {
  return httpFault(`http-${status}-${suffix.replaceAll("_", "-")}`, () => httpError(status, error), {
    code,
    retriesAllowed: false,
    note: `HTTP ${status}, error code ${error.code}`,
  });
}

/** A failure that passes: the server must try again. */
function passing(
  name: string,
  status: number,
  code: string,
  body: ApiError | string,
  { headers = {}, retryAfterMs }: { headers?: Headers; retryAfterMs?: number } = {},
): FaultShape {
  return httpFault(name, () => httpError(status, body, headers), {
    code,
    retriesAllowed: true,
    retryExpected: true,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    note: `HTTP ${status}${Object.keys(headers).length > 0 ? ` with ${Object.keys(headers).join(", ")}` : ""}`,
  });
}

function apiError(message: string, type: string, code: string | null, param: string | null = null): ApiError {
  return { message, type, code, param };
}

function invalidRequest(message: string, code: string | null = null, param: string | null = null): ApiError {
  return apiError(message, "invalid_request_error", code, param);
}

function rateLimit(name: string, headers: Headers, retryAfterMs?: number): FaultShape {
  const body = apiError("Rate limit reached for requests.", "rate_limit_error", "rate_limit_exceeded");
  const options = retryAfterMs === undefined ? { headers } : { headers, retryAfterMs };
  return passing(`http-429-rate-limit-${name}`, 429, "rate_limited", body, options);
}

const proxyPage = "<html><head><title>502 Bad Gateway</title></head><body><hr>nginx</body></html>";
const serverError = apiError("The server had an error while processing your request.", "server_error", null);
const overloaded = apiError(
  "The server is currently overloaded.",
  "service_unavailable_error",
  "server_is_overloaded",
);
const quotaCodes = [
  "insufficient_quota",
  "credit_balance_exhausted",
  "organization_spend_limit_exceeded",
  "project_spend_limit_exceeded",
  "organization_usage_limit_exceeded",
];

const refusals: readonly FaultShape[] = [
  refused(
    400,
    "context_length_exceeded",
    invalidRequest(
      "This model's maximum context length is 128000 tokens.",
      "context_length_exceeded",
      "input",
    ),
  ),
  refused(
    400,
    "previous_response_not_found",
    invalidRequest(
      "Previous response with id 'resp_x' not found.",
      "previous_response_not_found",
      "previous_response_id",
    ),
  ),
  refused(
    400,
    "upstream_invalid_request",
    invalidRequest("Unknown parameter: 'x'.", "unknown_parameter", "x"),
  ),
  refused(400, "upstream_invalid_request", invalidRequest("Invalid value.")),
  refused(401, "upstream_auth", invalidRequest("Incorrect API key provided.", "invalid_api_key")),
  refused(
    403,
    "upstream_auth",
    invalidRequest("Country not supported.", "unsupported_country_region_territory"),
  ),
  refused(
    404,
    "model_not_found",
    invalidRequest("The model 'x' does not exist.", "model_not_found", "model"),
  ),
  refused(404, "upstream_invalid_request", invalidRequest("Invalid URL (POST /v1/responses).")),
  refused(422, "upstream_invalid_request", invalidRequest("Unprocessable entity.")),
  ...quotaCodes.map((code) =>
    refused(429, "quota_exceeded", apiError("You exceeded your quota.", "insufficient_quota", code)),
  ),
  refused(429, "quota_exceeded", apiError("No quota.", "insufficient_quota", null), "quota-by-type-only"),
];

const passingFailures: readonly FaultShape[] = [
  passing("http-408", 408, "upstream_error", apiError("Request timed out.", "timeout", null)),
  passing("http-409", 409, "upstream_invalid_request", invalidRequest("Another request holds the lock.")),
  rateLimit("plain", {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-tokens": "199000",
    "x-ratelimit-reset-tokens": "300ms",
  }),
  rateLimit("retry-after", { "retry-after": "2" }, 2_000),
  rateLimit("retry-after-ms", { "retry-after": "2", "retry-after-ms": "1500" }, 1_500),
  rateLimit("retry-after-zero", { "retry-after": "0" }, 0),
  rateLimit("retry-after-past-date", { "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" }),
  rateLimit("retry-after-garbage", { "retry-after": "soon" }),
  rateLimit("retry-after-negative", { "retry-after": "-5" }),
  passing(
    "http-429-slow-down",
    429,
    "upstream_overloaded",
    apiError("Slow down.", "rate_limit_error", "slow_down"),
  ),
  passing("http-500", 500, "upstream_error", serverError),
  passing("http-500-empty-body", 500, "upstream_error", ""),
  passing("http-502-html", 502, "upstream_error", proxyPage),
  passing("http-502-json", 502, "upstream_error", serverError),
  passing("http-503", 503, "upstream_overloaded", overloaded),
  passing("http-503-retry-after", 503, "upstream_overloaded", overloaded, {
    headers: { "retry-after": "1" },
    retryAfterMs: 1_000,
  }),
  passing(
    "http-504-html",
    504,
    "upstream_error",
    proxyPage.replace("502 Bad Gateway", "504 Gateway Time-out"),
  ),
  passing("http-400-should-retry", 400, "upstream_invalid_request", invalidRequest("Try again."), {
    headers: { "x-should-retry": "true" },
  }),
];

/** Every HTTP answer that is not a stream, and the pauses that an upstream may ask for. */
export const httpFaults: readonly FaultShape[] = [
  ...refusals,
  ...passingFailures,
  httpFault(
    "http-429-rate-limit-retry-after-hour",
    () =>
      httpError(429, apiError("Rate limit reached.", "rate_limit_error", "rate_limit_exceeded"), {
        "retry-after": "3600",
      }),
    {
      code: "rate_limited",
      retriesAllowed: true,
      retryAfterMs: 3_600_000,
      note: "a pause too long to wait for: the client may as well be told",
    },
  ),
  httpFault("http-500-should-not-retry", () => httpError(500, serverError, { "x-should-retry": "false" }), {
    code: "upstream_error",
    retriesAllowed: false,
    note: "HTTP 500 with x-should-retry: false",
  }),
  ...[301, 302, 307, 308].map((status) =>
    httpFault(
      `http-${status}-elsewhere`,
      ({ elsewhere = "http://127.0.0.1:9/v1" }) =>
        plainResponse(status, "", { location: `${elsewhere}/responses` }),
      {
        code: "upstream_invalid",
        retriesAllowed: false,
        note: "a redirect to another origin: not followed, above all not with the Authorization header",
      },
    ),
  ),
];
