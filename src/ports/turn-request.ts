import type { Caller } from "./caller.ts";
import type { FunctionTool, Item } from "./item.ts";
import type { JsonObject } from "./json.ts";

/** How an answer's text is cut into chunks and timed. */
export interface Pacing {
  /** `natural` keeps the rhythm and hurries when text would be late; `fixed` never hurries; `raw` leaves text as it comes. */
  readonly mode: "natural" | "fixed" | "raw";
  /** Maximum code points of one chunk. */
  readonly chunkChars: number;
  /** Time between two chunks. */
  readonly intervalMs: number;
  /** For `natural`: how late text may be shown. */
  readonly maxLagMs: number;
}

/** An endpoint, a model, both or neither: the server's own choice. Each of two names goes with the other. */
export interface NamedChoice {
  readonly api?: string;
  readonly model?: string;
}

interface AnyRequest {
  /** The endpoint that answers. Left out: the one that has the model, otherwise the server's first one. */
  readonly api?: string;
  /** Left out: the server's, for that endpoint. */
  readonly model?: string;
  /** Answer in its place, in this order, if a call fails before anything of it was shown. Left out: the server's chain. */
  readonly fallback?: readonly NamedChoice[];
  /** The items that the request brings, oldest first. The last one is the question, or the result of a tool. */
  readonly input: readonly Item[];
  /** Functions that the client runs itself. */
  readonly functions?: readonly FunctionTool[];
  /** The client is told the sources of answers. */
  readonly includeSources?: true;
  /** The client is told the usage while an answer streams. */
  readonly includeUsage?: true;
  /** Maximum tokens, input and output of all lanes together. */
  readonly budgetTokens?: number;
  /** Maximum length of each lane's answer, in tokens. */
  readonly maxTokens?: number;
  readonly pacing: Pacing;
}

interface PersonaRequest extends AnyRequest {
  /** The input is the whole context: the request reads no stored conversation, and nothing goes into one. */
  readonly bringsHistory?: true;
  readonly personaIds: readonly string[];
  readonly temperature?: number;
}

/** The endpoint and the model that answer for one persona of a request. A model alone is asked at the request's endpoint. */
export interface MemberChoice extends NamedChoice {
  readonly personaId: string;
}

/** A request for an answer, independent of doors, with every default filled in. */
export type TurnRequest =
  | ({
      readonly kind: "responses";
      /** Id of a response stored at the vendor, after which the input comes. */
      readonly previousResponseId?: string;
      /** Tools in the vendor's own words. */
      readonly tools?: readonly JsonObject[];
      readonly includeReasoning: boolean;
      /** The provider goes on with the answer even if no process is connected to it. */
      readonly inBackground?: true;
      /** The client asked that nothing of it is stored. */
      readonly isTransient?: true;
      /** The vendor's own parameters. The server passes them on and does not read them. */
      readonly options: JsonObject;
    } & AnyRequest)
  | ({ readonly kind: "persona" } & PersonaRequest)
  | ({
      readonly kind: "personas";
      readonly showText: boolean;
      /** Choices for single personas, before those of the request. Each names a persona of the request, and none twice. */
      readonly members?: readonly MemberChoice[];
    } & PersonaRequest);

/** A turn that has lost its last follower runs to its end, or is cancelled after this many milliseconds. */
export type WhenUnwatched = "finish" | number;

/** A turn whose process is gone ends as interrupted, or its unfinished answers start again. */
export type WhenInterrupted = "error" | "restart";

/** A request with everything that another process needs to continue its turn. */
export interface ResumableRequest {
  readonly caller: Caller;
  readonly request: TurnRequest;
  readonly whenUnwatched: WhenUnwatched;
  readonly whenInterrupted: WhenInterrupted;
}
