import type { TroupeOptions } from "../../../src/compose/create-troupe.ts";
import { answer } from "../../doubles/answer.ts";
import type { FaultShape } from "../../doubles/fault-shape.ts";
import { faultShapes } from "../../doubles/fault-shapes.ts";
import { type CallInput, lastQuestion, personaOf } from "../../doubles/read-call.ts";
import type { Script } from "../../doubles/script.ts";
import { streamScript } from "../../doubles/stream-script.ts";

/** The question and the persona of a call, by which the matrix finds its cell. */
export interface AskedCall {
  readonly question: string;
  readonly personaId: string | undefined;
}

/** An API as the fault matrix plays it: its shapes, its good answers, and how its calls are read. */
export interface FaultVendor {
  readonly name: string;
  readonly shapes: readonly FaultShape[];
  /** A whole answer of one text. */
  says(text: string): Script;
  readCall(body: unknown): AskedCall;
  /** Whether a path is that of a call over this API. */
  isCall(path: string): boolean;
  /** Whether its calls come over WebSockets. Default false. */
  readonly webSocket?: boolean;
  /** The options of a server whose only endpoint is the double at this base URL, called with this key. */
  options(baseUrl: string, key: string): TroupeOptions;
}

/** Reads a call by its instructions and its last message. */
export function askedIn(instructions: string | undefined, input: CallInput): AskedCall {
  return { question: lastQuestion(input), personaId: personaOf(instructions) };
}

/** OpenAI's Responses API. A server without the route is asked over Chat Completions as well, which its double can read too. */
export const responsesVendor: FaultVendor = {
  name: "responses",
  shapes: faultShapes,
  says: (text) => streamScript(answer({ text })),
  readCall(body) {
    const { input, messages, instructions } = body as {
      readonly input?: CallInput;
      readonly messages?: readonly { readonly role: string; readonly content: string }[];
      readonly instructions?: string;
    };
    const [first] = messages ?? [];
    const system = first?.role === "system" ? first.content : undefined;
    return askedIn(instructions ?? system, input ?? messages ?? "");
  },
  isCall: (path) => path.endsWith("/responses"),
  options: (openaiBaseUrl, openaiApiKey) => ({ openaiApiKey, openaiBaseUrl }),
};
