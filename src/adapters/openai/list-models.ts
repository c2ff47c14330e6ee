import http from "node:http";
import https from "node:https";
import { text } from "node:stream/consumers";
import { z } from "zod";
import type { Clock } from "../../ports/clock.ts";
import type { UpstreamAgents } from "../upstream/upstream-call.ts";

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
    };

interface ListModelsOptions {
  readonly agents: UpstreamAgents;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Max time for the list of models. A port without a server is refused at once and costs no time. */
const patienceMs = 3_000;

const modelList = z.object({
  data: z.array(
    z.looseObject({
      id: z.string().min(1),
      type: z.unknown().optional(),
      capabilities: z.unknown().optional(),
    }),
  ),
});

/** Name parts of models that make no text: embeddings, rerankers, speech, pictures. */
const otherUse =
  /embed|rerank|whisper|diffusion|minilm|colbert|(^|[^a-z])(bge|gte|e5|tts|asr|clip|siglip|sdxl|flux|kokoro|piper|paraphrase|sentence|instructor|stsb)([^a-z]|$)/i;

/** Asks a server with OpenAI's API for its models. Never rejects. Leaves out models that only make embeddings and the like. */
export async function listModels(baseUrl: string, options: ListModelsOptions): Promise<ModelList> {
  const { clock, signal, agents, headers = {} } = options;
  const patience = new AbortController();
  let isLate = false;
  const stopTimer = clock.callAfter(patienceMs, () => {
    isLate = true;
    patience.abort();
  });
  const end = () => patience.abort();
  signal.addEventListener("abort", end, { once: true });
  try {
    return read(
      await get(new URL(`${baseUrl}/models`), { agents, headers, signal: patience.signal }),
      baseUrl,
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const fault = isLate
      ? `has not answered within ${patienceMs / 1_000} s`
      : (faults[code ?? ""] ?? "cannot be reached");
    return { fault, isThere: isLate || !absent.has(code ?? ""), isModelServer: false };
  } finally {
    stopTimer();
    signal.removeEventListener("abort", end);
  }
}

const faults: Readonly<Record<string, string>> = {
  ECONNREFUSED: "is not there: nothing listens at this port",
  ENOTFOUND: "is not there: no address belongs to this name",
  ECONNRESET: "hangs up",
};

/** No program listens there. Any other fault comes from a program that does. */
const absent = new Set(["ECONNREFUSED", "ENOTFOUND"]);

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
    text(message).then((body) => resolve({ status, body }), reject);
  });
  outgoing.end();
  return promise;
}

function read({ status, body }: Answer, baseUrl: string): ModelList {
  const lacksPath = new URL(baseUrl).pathname === "/";
  if (status !== 200) {
    const advice = lacksPath ? "; most servers want /v1 at the end of the address" : "";
    return {
      fault: `answers ${status} when asked for its models${advice}`,
      isThere: true,
      isModelServer: false,
    };
  }
  const parsed = modelList.safeParse(parseJson(body));
  if (!parsed.success)
    return { fault: "answers something other than a list of models", isThere: true, isModelServer: false };
  const { data } = parsed.data;
  const [first, ...more] = data.filter(canAnswer).map(({ id }) => id);
  if (first !== undefined) return { models: [first, ...more] };
  const fault =
    data.length === 0 ? "has no model yet" : "has only models that cannot answer, such as embedding models";
  return { fault, isThere: true, isModelServer: true };
}

/** Whether a model can answer: by the server's own words if there are any, otherwise by its name without folders. */
function canAnswer({
  id,
  type,
  capabilities,
}: {
  id: string;
  type?: unknown;
  capabilities?: unknown;
}): boolean {
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
