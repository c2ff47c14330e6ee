import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { z } from "zod";
import type { Clock } from "../../ports/clock.ts";
import { wireLimits } from "../../protocol/limits.ts";
import type { UpstreamAgents } from "./upstream-call.ts";

/**
 * The models of a server that can answer, or the reason why there are none. The reason ends a sentence that starts with the server's
 * address.
 */
export type ModelList =
  | { readonly models: readonly [string, ...string[]] }
  | {
      readonly fault: string;
      /** A program answers there. */
      readonly isThere: boolean;
      /** That program lists models. */
      readonly isModelServer: boolean;
      /** It wants a key, or another one. */
      readonly refusesKey: boolean;
    };

/** The form of a list: OpenAI's, which most vendors have, Anthropic's, or Google's. */
export type ListForm = "openai" | "anthropic" | "google";

interface ListModelsOptions {
  readonly agents: UpstreamAgents;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default `openai`. */
  readonly form?: ListForm;
}

/** Max time for the list of models. A port without a server is refused at once and costs no time. */
const patienceMs = 3_000;
/** Longer lists are refused. The longest known one, of a vendor with hundreds of models, has less than a tenth of this. */
const maxListBytes = 8 * 1024 * 1024;
/** Models after these are left out. */
const maxModels = 1_000;

const model = z.looseObject({
  id: z.string().min(1),
  type: z.unknown().optional(),
  capabilities: z.unknown().optional(),
});
type ListedModel = z.output<typeof model>;
const openaiList = z.object({ data: z.array(model) });
/** Together lists models without an object around them. */
const bareList = z.array(model).transform((data) => ({ data }));
const googleList = z
  .object({ models: z.array(z.looseObject({ name: z.string(), supportedGenerationMethods: z.unknown() })) })
  .transform(({ models }) => ({
    data: models.map(
      ({ name, supportedGenerationMethods }): ListedModel => ({
        id: name.replace(/^models\//, ""),
        capabilities: supportedGenerationMethods,
      }),
    ),
  }));

const lists = { openai: z.union([openaiList, bareList]), anthropic: openaiList, google: googleList } as const;
/** Vendors with pages of models put all into one. Other servers may refuse a query that they do not know. */
const queries: Readonly<Record<ListForm, string>> = {
  openai: "",
  anthropic: "?limit=1000",
  google: "?pageSize=1000",
};

/** Name parts of models that make no text: embeddings, rerankers, speech, pictures. */
const otherUse =
  /embed|rerank|whisper|diffusion|minilm|colbert|(^|[^a-z])(bge|gte|e5|tts|asr|clip|siglip|sdxl|flux|kokoro|piper|paraphrase|sentence|instructor|stsb)([^a-z]|$)/i;

/** Asks a server for its models. Never rejects, and asks nothing once `signal` has aborted. Leaves out models that only make embeddings and the like. */
export async function listModels(baseUrl: string, options: ListModelsOptions): Promise<ModelList> {
  const { clock, signal, agents, headers = {}, form = "openai" } = options;
  const patience = new AbortController();
  let isLate = false;
  const stopTimer = clock.callAfter(patienceMs, () => {
    isLate = true;
    patience.abort();
  });
  const end = () => patience.abort();
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  try {
    const url = new URL(`${baseUrl}/models${queries[form]}`);
    return read(await get(url, { agents, headers, signal: patience.signal }), baseUrl, form);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const fault = isLate
      ? `has not answered within ${patienceMs / 1_000} s`
      : (faults[code ?? ""] ?? "cannot be reached");
    const isThere = !isLate && !absent.has(code ?? "");
    return { fault, isThere, isModelServer: false, refusesKey: false };
  } finally {
    stopTimer();
    signal.removeEventListener("abort", end);
  }
}

const faults: Readonly<Record<string, string>> = {
  ECONNREFUSED: "is not there: nothing listens at this port",
  ENOTFOUND: "is not there: no address belongs to this name",
  EAI_AGAIN: "is not there: its name cannot be looked up",
  ECONNRESET: "hangs up",
};

/** No program answers there. Any other fault comes from a program that does. */
const absent = new Set([
  ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT"],
  ...["EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN"],
]);

interface Answer {
  readonly status: number;
  readonly body: string;
}

function get(url: URL, options: Pick<ListModelsOptions, "agents" | "signal" | "headers">): Promise<Answer> {
  const { agents, signal, headers } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { request } = url.protocol === "https:" ? https : http;
  const outgoing = request(url, {
    agent: agents.agentFor(url),
    signal,
    headers: { accept: "application/json", ...headers },
  });
  outgoing.on("error", reject);
  outgoing.on("response", (message) => {
    const { statusCode: status = 0 } = message;
    readBody(message).then((body) => resolve({ status, body }), reject);
  });
  outgoing.end();
  return promise;
}

/** The whole body as text; empty if it is longer than a list may be. */
async function readBody(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    bytes += part.length;
    // Leaving the loop closes the connection.
    if (bytes > maxListBytes) return "";
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function read({ status, body }: Answer, baseUrl: string, form: ListForm): ModelList {
  const refused = { isThere: true, isModelServer: false, refusesKey: false };
  if (isKeyRefusal(status, body))
    return { ...refused, fault: `refuses the key (status ${status})`, refusesKey: true };
  if (status !== 200) {
    const lacksPath = new URL(baseUrl).pathname === "/";
    const advice = lacksPath ? "; most servers want /v1 at the end of the address" : "";
    return { ...refused, fault: `answers ${status} when asked for its models${advice}` };
  }
  const parsed = lists[form].safeParse(parseJson(body));
  if (!parsed.success) return { ...refused, fault: "answers something other than a list of models" };
  const { data } = parsed.data;
  const [first, ...more] = data
    .filter((one) => one.id.length <= wireLimits.modelChars && canAnswer(one))
    .slice(0, maxModels)
    .map(({ id }) => id);
  if (first !== undefined) return { models: [first, ...more] };
  const fault =
    data.length === 0 ? "has no model yet" : "has only models that cannot answer, such as embedding models";
  return { ...refused, fault, isModelServer: true };
}

/** Google refuses a wrong key with 400 and this word. */
function isKeyRefusal(status: number, body: string): boolean {
  return status === 401 || status === 403 || (status === 400 && body.includes("API_KEY_INVALID"));
}

/** Whether a model can answer: by the server's own words if there are any, otherwise by its name without folders. */
function canAnswer({ id, type, capabilities }: ListedModel): boolean {
  if (Array.isArray(capabilities) && capabilities.length > 0)
    return capabilities.some(
      (name) => /chat|completion|generat|text/i.test(String(name)) && !otherUse.test(String(name)),
    );
  if (typeof type === "string" && otherUse.test(type)) return false;
  return !otherUse.test(id.split(/[/\\]/).at(-1) ?? id);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Mostly an HTML page: another program has this port.
  }
}
