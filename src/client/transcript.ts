import type { LaneRole } from "../protocol/fields.ts";
import type { ServerMessage, ServerMessages } from "../protocol/server-messages.ts";
import type { RequestFailure } from "./request-error.ts";
import { connectionRefusals, failureOf } from "./request-error.ts";

type Response = ServerMessages["response"];
type PersonaResponse = ServerMessages["persona_response"];
type MultiChatData = Extract<Response["data"], { responses: unknown }>;
type ChatData = Extract<Response["data"], { response: string }>;
type OpenaiChatData = Exclude<Response["data"], MultiChatData | ChatData>;
export type Usage = NonNullable<PersonaResponse["usage"]>;
export type LaneStatus =
  | "waiting"
  | "starting"
  | "processing"
  | "streaming"
  | "completed"
  | "failed"
  | "cancelled";

/** The fields of a message that name its lane. */
interface Voice {
  readonly persona_id?: string | undefined;
  readonly round?: number | undefined;
  readonly role?: LaneRole | undefined;
}

export interface ToolActivity {
  readonly callId: string;
  readonly tool: string;
  readonly status: string;
}

/** A source of an answer. A message of the server has the meaning of its fields. */
export interface AnswerSource {
  readonly index: number;
  readonly url: string;
  readonly title: string | undefined;
  readonly places: readonly { readonly start: number; readonly end: number }[];
}

/** One voice of an answer at this moment. */
export interface Lane {
  /** `undefined` for `openai_chat`, which has one lane without a name. */
  readonly personaId: string | undefined;
  /** From 0; `undefined` if every persona speaks once. */
  readonly round: number | undefined;
  /** Its part in an ensemble; `undefined` for a plain member. */
  readonly role: LaneRole | undefined;
  readonly name: string | undefined;
  readonly text: string;
  readonly reasoning: string;
  readonly tools: readonly ToolActivity[];
  /** Only if the request has `include_sources`. */
  readonly sources: readonly AnswerSource[];
  readonly status: LaneStatus;
  /** The server's last sentence about the lane. */
  readonly statusMessage: string;
  readonly model: string | undefined;
  readonly finishReason: Response["finish_reason"] | undefined;
  /** All of its tokens once it has ended. Before, its tokens so far if the request has `include_usage`; otherwise `undefined`. */
  readonly usage: Usage | undefined;
  readonly error: RequestFailure | undefined;
}

/** The sum of a request's messages so far. */
export interface Transcript {
  readonly requestId: string | undefined;
  readonly lanes: readonly Lane[];
  /**
   * `unfollowed`: this side was closed, refused or lost the request, and the server may continue it. `error` says why; `followAgain`, or
   * the next message, makes it followed again.
   */
  readonly status: "waiting" | "running" | "completed" | "cancelled" | "failed" | "unfollowed";
  /** The number of the last message that was folded in. */
  readonly seq: number;
  readonly error: RequestFailure | undefined;
  /** An error that did not end the request, such as a refused cancel. */
  readonly notice: RequestFailure | undefined;
  /** The tokens of all lanes, from the `response`. `undefined` before. */
  readonly usage: Usage | undefined;
  /** No model was called: the built-in demonstration answered. */
  readonly simulated: boolean;
  readonly response: Response | undefined;
}

/** A transcript without any message yet. `personaIds` creates its lanes in advance, so that a page can reserve space for them. */
export function createTranscript(personaIds: readonly (string | undefined)[] = []): Transcript {
  return {
    requestId: undefined,
    lanes: personaIds.map((persona_id) => emptyLane({ persona_id })),
    status: "waiting",
    seq: 0,
    error: undefined,
    notice: undefined,
    usage: undefined,
    simulated: false,
    response: undefined,
  };
}

/** Folds a request's next message into its transcript. Returns a new transcript; the arguments stay unchanged. */
export function foldMessage(before: Transcript, message: ServerMessage): Transcript {
  const transcript = withPosition(followAgain(before), message);
  switch (message.type) {
    case "status":
      return withLane(transcript, message, (lane) => ({
        status: message.status,
        statusMessage: message.message,
        usage: message.usage ?? lane.usage,
      }));
    case "chunk":
      return withLane(transcript, message, (lane) => ({ text: lane.text + message.chunk }));
    case "reasoning":
      return withLane(transcript, message, (lane) => ({
        reasoning: lane.reasoning + message.text,
      }));
    case "tool":
      return withLane(transcript, message, (lane) => ({ tools: withTool(lane.tools, message) }));
    case "source":
      return withLane(transcript, message, (lane) => ({ sources: [...lane.sources, sourceOf(message)] }));
    case "persona_response":
      return withLane(transcript, message, () => answerOf(message));
    case "reset":
      // A numbered reset is about the lanes that start again; any other is about all shown text.
      if (message.seq !== undefined)
        return message.lanes.reduce<Transcript>(
          (folded, lane) => withLane(folded, lane, ({ name }) => ({ ...emptyLane(lane), name })),
          { ...transcript, status: "running", error: undefined },
        );
      return message.lanes.reduce<Transcript>(
        (folded, lane) => withLane(folded, lane, () => ({ ...nothingShown, text: lane.text })),
        {
          ...transcript,
          lanes: transcript.lanes.map((lane) => ({ ...lane, ...nothingShown })),
        },
      );
    case "response":
      return withResponse(transcript, message);
    case "error":
      if (message.in_reply_to?.type === "cancel") return { ...transcript, notice: failureOf(message) };
      return failTranscript(transcript, failureOf(message));
    default:
      return transcript;
  }
}

/**
 * Ends a transcript by a failure of the server or of this side. A request is `unfollowed` and not `failed` if the failure is not about
 * it: it was `closed` or `lost`, or a later connection was refused.
 */
export function failTranscript(transcript: Transcript, error: RequestFailure): Transcript {
  if (error.code === "closed" || error.code === "lost" || (transcript.seq > 0 && isRefusal(error.code)))
    return { ...transcript, status: "unfollowed", error };
  const status: "cancelled" | "failed" = error.code === "cancelled" ? "cancelled" : "failed";
  const lanes = transcript.lanes.map((lane) => (isEnded(lane) ? lane : { ...lane, status }));
  return { ...transcript, lanes, status, error };
}

/** The transcript of an `unfollowed` request that is resumed after its `seq`. */
export function followAgain(transcript: Transcript): Transcript {
  if (transcript.status !== "unfollowed") return transcript;
  return { ...transcript, status: transcript.seq === 0 ? "waiting" : "running", error: undefined };
}

function isRefusal(code: RequestFailure["code"]): boolean {
  return connectionRefusals.some((refusal) => refusal === code);
}

function isEnded(lane: Lane): boolean {
  return lane.status === "completed" || lane.status === "failed" || lane.status === "cancelled";
}

function withPosition(transcript: Transcript, message: ServerMessage): Transcript {
  const seq = "seq" in message ? message.seq : undefined;
  return {
    ...transcript,
    seq: seq ?? (message.type === "reset" ? message.through_seq : undefined) ?? transcript.seq,
    requestId: ("request_id" in message ? message.request_id : undefined) ?? transcript.requestId,
    status: transcript.status === "waiting" && seq !== undefined ? "running" : transcript.status,
    simulated: transcript.simulated || ("simulated" in message && message.simulated === true),
  };
}

function withLane(transcript: Transcript, voice: Voice, change: (lane: Lane) => Partial<Lane>): Transcript {
  const { persona_id: personaId, round, role } = voice;
  const at = transcript.lanes.findIndex(
    (lane) => lane.personaId === personaId && lane.round === round && lane.role === role,
  );
  const lane = transcript.lanes[at] ?? emptyLane(voice);
  const changed = { ...lane, ...change(lane) };
  return {
    ...transcript,
    lanes: at === -1 ? [...transcript.lanes, changed] : transcript.lanes.with(at, changed),
  };
}

function withTool(tools: readonly ToolActivity[], message: ServerMessages["tool"]): readonly ToolActivity[] {
  const activity = { callId: message.call_id, tool: message.tool, status: message.status };
  const at = tools.findIndex((tool) => tool.callId === activity.callId);
  return at === -1 ? [...tools, activity] : tools.with(at, activity);
}

function sourceOf({ index, url, title, places }: ServerMessages["source"]): AnswerSource {
  return { index, url, title, places: places ?? [] };
}

function answerOf(answer: Omit<PersonaResponse, "type" | "seq" | "request_id">): Partial<Lane> {
  const { error } = answer;
  return {
    text: answer.response,
    status: answer.status,
    name: answer.persona.name,
    model: answer.model,
    finishReason: answer.finish_reason,
    usage: answer.usage,
    error: error && { ...error, retryAfterMs: error.retry_after_ms },
  };
}

function withResponse(transcript: Transcript, response: Response): Transcript {
  const { data, status } = response;
  const ended: Transcript = {
    ...transcript,
    status,
    response,
    simulated: transcript.simulated || data.simulated === true,
  };
  // On the wire, `request_type` beside `data` tells its three forms apart.
  switch (response.request_type) {
    case "multi_chat": {
      const { responses, usage } = data as MultiChatData;
      return responses.reduce<Transcript>(
        (folded, answer) => withLane(folded, answer, () => answerOf(answer)),
        { ...ended, usage },
      );
    }
    case "chat": {
      const chat = data as ChatData;
      const { persona, response: text, model, usage } = chat;
      return withLane({ ...ended, usage }, chat, () => ({
        ...endOf(response),
        name: persona.name,
        text,
        model,
        usage,
      }));
    }
    case "openai_chat": {
      const { output_text: text, model, usage } = data as OpenaiChatData;
      const change = {
        ...endOf(response),
        text,
        model: typeof model === "string" ? model : undefined,
        usage: usageOf(usage),
      };
      return withLane({ ...ended, usage: change.usage }, {}, () => change);
    }
  }
}

function endOf(response: Response): Partial<Lane> {
  return { status: response.status, statusMessage: response.message, finishReason: response.finish_reason };
}

/** Reads the vendor's usage, which has more fields; `undefined` if required ones are missing. */
function usageOf(usage: unknown): Usage | undefined {
  const { input_tokens, output_tokens, total_tokens } = (usage ?? {}) as Partial<Usage>;
  if (input_tokens === undefined || output_tokens === undefined || total_tokens === undefined)
    return undefined;
  return { input_tokens, output_tokens, total_tokens, estimated: false };
}

/** The content of a lane that has shown nothing yet. */
const nothingShown = { text: "", reasoning: "", tools: [], sources: [] } as const;

function emptyLane({ persona_id: personaId, round, role }: Voice): Lane {
  return {
    personaId,
    round,
    role,
    name: undefined,
    ...nothingShown,
    status: "waiting",
    statusMessage: "",
    model: undefined,
    finishReason: undefined,
    usage: undefined,
    error: undefined,
  };
}
