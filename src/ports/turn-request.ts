import type { Caller } from "./caller.ts";
import type { JsonObject } from "./json.ts";

/** How an answer's text is cut and timed. */
export interface Pacing {
  /** `natural` keeps the rhythm while it can and hurries when text would be late; `fixed` never hurries; `raw` does nothing. */
  readonly mode: "natural" | "fixed" | "raw";
  /** Most code points of one chunk. */
  readonly chunkChars: number;
  /** Time between two chunks. */
  readonly intervalMs: number;
  /** `natural`: how late a text may be shown. */
  readonly maxLagMs: number;
}

interface AnyRequest {
  /** Input and output of all lanes together, in tokens; more is not used. */
  readonly budgetTokens?: number;
  readonly pacing: Pacing;
}

interface PersonaRequest extends AnyRequest {
  readonly message: string;
  readonly personaIds: readonly string[];
  readonly api: string;
  readonly model?: string;
  readonly temperature?: number;
  readonly maxTokens?: number;
}

/** A request for an answer, in no door's words, every default filled in. */
export type TurnRequest =
  | ({
      readonly kind: "responses";
      readonly inputText: string;
      readonly model?: string;
      readonly previousResponseId?: string;
      readonly tools?: readonly JsonObject[];
      readonly includeReasoning: boolean;
      readonly options: JsonObject;
    } & AnyRequest)
  | ({ readonly kind: "persona" } & PersonaRequest)
  | ({ readonly kind: "personas"; readonly showText: boolean } & PersonaRequest);

/** What becomes of a turn that nobody follows any more: it runs to its end, or is cancelled after so many milliseconds. */
export type WhenUnwatched = "finish" | number;

/** What becomes of a turn whose process is gone: it ends as interrupted, or what was cut off is answered anew. */
export type WhenInterrupted = "error" | "restart";

/** A request with all that another process needs to go on with its turn. */
export interface ResumableRequest {
  readonly caller: Caller;
  readonly request: TurnRequest;
  readonly whenUnwatched: WhenUnwatched;
  readonly whenInterrupted: WhenInterrupted;
}
