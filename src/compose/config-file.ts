import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { pricedVendors } from "../adapters/genai-prices/published-prices.ts";
import { inPlainWords, predicate } from "../protocol/fault-in.ts";
import { model } from "../protocol/fields.ts";
import { expandVariables } from "./expand-variables.ts";
import { nearestName } from "./nearest-name.ts";
import { framingHeaders, headerLine, linkPattern, whyNoBaseUrl } from "./provider-settings.ts";
import { endpointKinds, hasTransport } from "./providers/open-endpoint.ts";
import { vendors } from "./providers/vendors.ts";
import { SettingError } from "./settings.ts";
import { whyUnclean } from "./unclean-value.ts";

const maxFileBytes = 1024 * 1024;
const maxKeyChars = 8_192;

/** Text of one line. A fault does not quote it, because it may be a key. */
const line = (maxChars: number) =>
  z
    .string()
    .min(1)
    .max(maxChars)
    .superRefine((value, context) => {
      const fault = whyUnclean(value);
      if (fault !== undefined) context.addIssue({ code: "custom", message: fault.replace(/^it /, "") });
    });

const baseUrl = line(2_048).superRefine((value, context) => {
  const fault = whyNoBaseUrl(value);
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
});

const headers = z
  .record(z.string().min(1).max(256), z.string().max(maxKeyChars))
  .superRefine((given, context) => {
    if (Object.keys(given).length > 64)
      context.addIssue({ code: "custom", message: "must have at most 64 members" });
    for (const [name, value] of Object.entries(given)) {
      const message = framingHeaders.has(name.toLowerCase())
        ? "must not be set: each call sets its own"
        : "must be a header: a name without spaces, and a value of one line";
      if (framingHeaders.has(name.toLowerCase()) || !headerLine.test(`${name}: ${value}`))
        context.addIssue({ code: "custom", path: [name], message });
    }
  });

const dialect = z.strictObject({
  maxTokens: z
    .enum(["max_tokens", "max_completion_tokens"])
    .exactOptional()
    .describe("The name of the limit of an answer."),
  asksForUsage: z.boolean().exactOptional().describe("Whether a call asks for its usage (stream_options)."),
});

const provider = z.strictObject({
  kind: z
    .enum(endpointKinds)
    .exactOptional()
    .describe(
      "The API that it speaks. `spoken`: the Responses API, or Chat Completions if it lacks that. Default: that of a vendor that Troupe knows by this name.",
    ),
  baseUrl: baseUrl
    .exactOptional()
    .describe("Its address, before the name of the call: https://host/v1. Default: the vendor's."),
  key: line(maxKeyChars)
    .exactOptional()
    .describe(`Its key, as \${NAME} of the environment. Default: the vendor's own variable.`),
  organization: line(256).exactOptional().describe("The organization to bill, at OpenAI."),
  project: line(256).exactOptional().describe("The project to bill, at OpenAI."),
  headers: headers.exactOptional().describe("Further headers of each call."),
  transport: z
    .enum(["http", "websocket"])
    .exactOptional()
    .describe(
      "How calls of the Responses API travel. `websocket` is `http` where a server has none. Default: http.",
    ),
  pricedAs: z
    .enum(pricedVendors)
    .exactOptional()
    .describe("The vendor whose published prices its calls cost. Default: by the host; no vendor, no price."),
  model: model
    .exactOptional()
    .describe("The model of requests that name none. Default: the first one that it lists."),
  models: z
    .array(model)
    .max(1_000)
    .exactOptional()
    .describe("Models that it has although it does not list them."),
  dialect: dialect.exactOptional().describe("Switches of Chat Completions. Default: by the host."),
});

const usd = z.number().min(0).max(1_000_000);
const price = z
  .strictObject({
    input: usd.describe("Of input."),
    cachedInput: usd
      .exactOptional()
      .describe("Of input read from the vendor's cache. Default: that of input."),
    cacheWrite: usd.exactOptional().describe("Of input written to it. Default: that of input."),
    output: usd.describe("Of output, reasoning included."),
  })
  .describe("US dollars for a million tokens.");

const name = z
  .string()
  .regex(/^[a-z][a-z0-9_.-]{0,63}$/, "must have 1 to 64 of a-z 0-9 _ . -, a letter first");

const linkName = line(321).regex(linkPattern, "must be an api, or an api/model");
const link = z.union(
  [
    linkName,
    z.strictObject({
      to: linkName.describe("The api, or api/model."),
      largerContext: z
        .boolean()
        .exactOptional()
        .describe(
          "It reads longer texts than the first link, so it is also asked after a text that was too long.",
        ),
    }),
  ],
  "must be an api, an api/model, or an object with to and largerContext",
);

/** The whole file. It is also published as a JSON Schema, so that editors complete it. */
export const configSchema = z.strictObject({
  $schema: z.string().max(2_048).exactOptional().describe("The JSON Schema of this file, for editors."),
  providers: z
    .record(name, provider)
    .refine((given) => Object.keys(given).length <= 64, "must have at most 64 members")
    .exactOptional()
    .describe(
      "The endpoints that answer, each by its name as `api`. The first one answers requests that name none.",
    ),
  fallback: z
    .record(linkName, z.array(link).min(1).max(8))
    .refine((given) => Object.keys(given).length <= 64, "must have at most 64 members")
    .exactOptional()
    .describe(
      "For an `api`, or one model of it as `api/model`: the links that answer in its place, in this order, if a call fails before its answer begins.",
    ),
  prices: z
    .record(z.string().min(1).max(320), price)
    .refine((given) => Object.keys(given).length <= 1_000, "must have at most 1,000 members")
    .exactOptional()
    .describe("Prices by model, or by api and model as `groq/llama-3.3-70b`. They replace published ones."),
});

/** An endpoint of the file, before the vendor's defaults are filled in. */
export type ConfiguredProvider = z.output<typeof provider>;

/** The content of the file `troupe.json`. */
export type TroupeConfig = z.output<typeof configSchema>;

/** Names that other programs use, by our names. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ...["apikey", "api_key", "token", "secret"].map((other) => [other, "key"] as const),
  ...["url", "base_url", "endpoint", "api_base", "apibase"].map((other) => [other, "baseUrl"] as const),
  ...["type", "api", "protocol"].map((other) => [other, "kind"] as const),
  ...["default_model", "defaultmodel"].map((other) => [other, "model"] as const),
  ...["provider", "endpoints", "models"].map((other) => [other, "providers"] as const),
]);

/**
 * Reads `troupe.json` of the working folder, or the file that TROUPE_CONFIG names. `undefined` if there is none and none is named. Rejects
 * with a `SettingError` of one line, which names the place in the file and quotes no value.
 */
export async function readConfigFile(
  named: string | undefined,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<TroupeConfig | undefined> {
  const file = path.resolve(named ?? "troupe.json");
  const shown = named === undefined ? "troupe.json" : `TROUPE_CONFIG ${named}`;
  let text: string;
  try {
    const { size } = await stat(file);
    if (size > maxFileBytes) throw new SettingError(`${shown}: it is larger than 1 MiB`);
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof SettingError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && named === undefined) return undefined;
    throw new SettingError(`${shown}: it cannot be read (${code})`);
  }
  return decodeConfig(parseJson(text.replace(/^\ufeff/, ""), shown), shown, variables);
}

/** V8's own message quotes the text around a fault, which may be a key. */
function parseJson(text: string, shown: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const [, at] = /line (\d+ column \d+)/.exec(String(error)) ?? [];
    throw new SettingError(`${shown}: it is not JSON${at === undefined ? "" : `: see line ${at}`}`);
  }
}

/** Decodes the content of a file named `shown`. `variables` are those of the environment. */
export function decodeConfig(
  content: unknown,
  shown: string,
  variables: Readonly<Record<string, string | undefined>>,
): TroupeConfig {
  const parsed = configSchema.safeParse(expandVariables(content, shown, variables), { error: inPlainWords });
  if (!parsed.success) throw new SettingError(`${shown}: ${sentenceOf(parsed.error.issues[0])}`);
  for (const [api, given] of Object.entries(parsed.data.providers ?? {})) {
    const { kind, baseUrl: address, transport } = given;
    const isKnown = Object.hasOwn(vendors, api);
    const spoken = kind ?? (isKnown ? vendors[api]?.kind : undefined);
    if (transport !== undefined && spoken !== undefined && !hasTransport(spoken))
      throw new SettingError(
        `${shown}: providers.${api}.transport is for the Responses API, not for ${spoken}`,
      );
    const missing = kind === undefined ? "kind" : address === undefined ? "baseUrl" : undefined;
    if (isKnown || missing === undefined) continue;
    const near = nearestName(api, Object.keys(vendors), 2);
    const advice = near === undefined ? "; no vendor has this name" : `; did you mean ${near}?`;
    throw new SettingError(`${shown}: providers.${api}.${missing} is missing${advice}`);
  }
  return parsed.data;
}

function sentenceOf(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return "it is not valid";
  const place = issue.path.map(String).join(".").slice(0, 200);
  if (issue.code !== "unrecognized_keys")
    return `${place === "" ? "it" : place} ${predicate(issue.message).replaceAll('"', "")}`;
  const unknown = issue.keys[0] ?? "";
  const names = namesAt(issue.path);
  const other = otherNames.get(unknown.toLowerCase());
  const near = other !== undefined && names.includes(other) ? other : nearestName(unknown, names, 2);
  const advice = near === undefined ? `; it has ${names.join(", ")}` : `; did you mean ${near}?`;
  return `${[place, unknown.slice(0, 100)].filter((part) => part !== "").join(".")} is not known${advice}`;
}

/** The names that the object at a place may have. */
function namesAt(place: readonly PropertyKey[]): string[] {
  if (place.length === 0) return Object.keys(configSchema.shape);
  if (place[0] === "fallback") return ["to", "largerContext"];
  if (place[0] === "prices") return Object.keys(price.shape);
  return Object.keys(place.length > 2 ? dialect.shape : provider.shape);
}
