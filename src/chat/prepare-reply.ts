import {
  type Asked,
  type ConversationHead,
  charsOf,
  type PathMessage,
  type StoredMessage,
  type TurnQuestion,
} from "../ports/conversation-store.ts";
import { attachmentsOf, type Item, isText, textsOfItems, userText } from "../ports/item.ts";
import type { ProviderChoice } from "../ports/provider.ts";
import type { TurnRecord } from "../ports/turn-log.ts";
import type { TurnRequest } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { answerResponses } from "./answer-responses.ts";
import type { ChatDependencies, Reply, TurnContext } from "./chat-context.ts";
import { chooseProvider, findMembers } from "./choose-provider.ts";
import {
  type ConversationTurn,
  findHead,
  recoverConversationTurn,
  repeatConversationTurn,
} from "./ensemble/conversation-turn.ts";
import { parallel } from "./ensemble/policy.ts";
import { runStage } from "./ensemble/stage.ts";
import { namesVendorState, type ResponsesRequest, refuseForeignIds } from "./foreign-ids.ts";
import { type BegunLane, canGoOn, type RecoveredLane } from "./recovered-lanes.ts";

/** The conversation of a request, as it was looked up. A new one is stored with its first turn. */
export interface TargetConversation {
  readonly id: string;
  readonly isNew: boolean;
  /** Absent if the conversation is new or does not exist. */
  readonly head?: ConversationHead | undefined;
}

/** The owner of a request, and the conversation that it goes into. */
interface ReplyPlace extends Omit<TurnRecord, "contentHash"> {
  /** The conversation, if it was looked up already. */
  readonly target?: TargetConversation | undefined;
}

/** A request that was found to be answerable. */
export interface PreparedReply {
  /** The keys of the lanes that start with it; empty for a nameless voice. */
  readonly lanes: readonly string[];
  /** The memory that it holds while it runs. */
  readonly bytes: RequestBytes;
  /** Must be stored with the turn's log, before the reply is called. Absent if it was stored before, or goes into no conversation. */
  readonly question?: TurnQuestion;
  /** Must be called once. */
  readonly reply: Reply;
}

/**
 * Looks up everything that can refuse a request, before anything is stored or started.
 *
 * `recovered` holds the lanes that another process has shown. If the answer can be resumed, it continues after them. Otherwise lanes that
 * had ended keep their result, and the others start again. All lanes of a turn that repeats another one (`afterSeq`) start again, and its
 * question is already stored.
 *
 * Throws `persona_not_found`, `persona_repeated`, `conversation_not_found`, `provider_not_configured`, `previous_response_not_found`.
 */
export async function prepareReply(
  request: TurnRequest,
  { owner, id, conversationId, afterSeq, target }: ReplyPlace,
  dependencies: ChatDependencies,
  recovered?: readonly RecoveredLane[],
): Promise<PreparedReply> {
  const isRepeat = afterSeq !== undefined && (recovered ?? []).length === 0;
  if (request.kind === "responses") {
    const begun = recovered?.find(canGoOn);
    const choice = withinReach(request, chooseProvider(begun?.link ?? request, dependencies), begun);
    // The process that started the request has checked its ids, which may have expired since.
    if (recovered === undefined) await refuseForeignIds(request, owner, dependencies.vendorIds);
    return {
      lanes: [],
      bytes: bytesOfRequest(request),
      async reply(context) {
        if (isRepeat) await context.emit([{ type: "reset", lanes: [{}] }]);
        else if (begun === undefined) await tellCut(recovered, context);
        return answerResponses({ request, owner, choice, begun }, dependencies, context);
      },
    };
  }
  const members = await findMembers(request, owner, dependencies);
  const lanes = members.map(({ persona }) => persona.id);
  const isAsked = isRepeat || recovered !== undefined;
  const asked = { owner, id, conversationId, isAsked, isRepeat };
  const { path, question, enter } =
    request.bringsHistory === true ? noPlace : await findPlace(request, asked, target, dependencies);
  return {
    lanes,
    bytes: bytesOfRequest(request, path),
    ...(question === undefined ? {} : { question }),
    async reply(context) {
      const conversation = await enter();
      const isOver = ({ ended, isStopped = false }: RecoveredLane) => ended || isStopped;
      const over = recovered?.filter(isOver) ?? [];
      const cast = { members, conversation, over };
      if (isRepeat) await context.emit([{ type: "reset", lanes: lanes.map((lane) => ({ lane })) }]);
      else
        await tellCut(
          recovered?.filter((lane) => !isOver(lane)),
          context,
        );
      return runStage(parallel, request, cast, dependencies, context);
    },
  };
}

/** The choice without the links that lack something at the vendor: the answer that was begun there, or the state that the request names. */
function withinReach(
  request: ResponsesRequest,
  choice: ProviderChoice,
  begun: BegunLane | undefined,
): ProviderChoice {
  const { fallbacks } = choice;
  if (fallbacks === undefined) return choice;
  if (begun !== undefined) return { ...choice, fallbacks: [] };
  if (!namesVendorState(request)) return choice;
  return { ...choice, fallbacks: fallbacks.filter(({ api }) => api === choice.api) };
}

/** The place of a turn in its conversation, before its reply is called. */
interface PlaceOfTurn {
  /** The messages before the question. */
  readonly path: readonly PathMessage[];
  readonly question?: TurnQuestion | undefined;
  /** Called by the reply. Stores the question if an earlier process should have stored it and did not. */
  readonly enter: () => Promise<ConversationTurn | undefined>;
}

const noPlace: PlaceOfTurn = { path: [], enter: async () => undefined };

interface AskedTurn extends Pick<ReplyPlace, "owner" | "id"> {
  readonly conversationId: string | undefined;
  /** Its question was stored before. */
  readonly isAsked: boolean;
  readonly isRepeat: boolean;
}

async function findPlace(
  { input }: TurnRequest,
  { owner, id, conversationId, isAsked, isRepeat }: AskedTurn,
  target: TargetConversation | undefined,
  dependencies: ChatDependencies,
): Promise<PlaceOfTurn> {
  if (conversationId === undefined)
    throw new TroupeError("conversation_not_found", { field: "conversationId" });
  const head = target === undefined ? await findHead(dependencies, owner, conversationId) : headOf(target);
  const path = head?.path ?? [];
  const asked = askedIn(input);
  const question = isAsked ? undefined : questionOf(dependencies.clock.newId(), asked, head);
  const enter = async (): Promise<ConversationTurn> => {
    if (question !== undefined)
      return { owner, id: conversationId, path, questionId: question.id, requestId: id };
    if (head === undefined) await dependencies.conversations.create(owner, conversationId);
    const find = isRepeat ? repeatConversationTurn : recoverConversationTurn;
    return find(dependencies, owner, conversationId, asked, id);
  };
  return { path, question, enter };
}

/** The question in the new items of a request. */
function askedIn(input: readonly Item[]): Asked {
  const text = userText(input);
  const [only] = input;
  const isPlain =
    input.length === 1 && only?.type === "message" && only.role === "user" && isText(only.parts);
  return isPlain ? { text } : { text, items: input };
}

/** The head of a conversation that was looked up; `undefined` for a new one. Throws `conversation_not_found`. */
function headOf({ isNew, head }: TargetConversation): ConversationHead | undefined {
  if (head === undefined && !isNew)
    throw new TroupeError("conversation_not_found", { field: "conversationId" });
  return head;
}

function questionOf(id: string, asked: Asked, head: ConversationHead | undefined): TurnQuestion {
  if (head === undefined) return { id, ...asked };
  const { path: _, ...under } = head;
  return { id, ...asked, under };
}

/** Tells followers which lanes were cut off, before they start again. */
async function tellCut(recovered: readonly RecoveredLane[] = [], { emit }: TurnContext): Promise<void> {
  const cut = recovered.filter(({ ended }) => !ended);
  if (cut.length > 0)
    await emit([{ type: "reset", lanes: cut.map(({ key }) => (key === undefined ? {} : { lane: key })) }]);
}

/** Memory of a request, and of each of its lanes, without texts: turn, log, call, connection to the provider (measured, rounded). */
const requestBytes = 32 * 1024;
const laneBytes = 32 * 1024;
/** A body being sent exists as text, once more after its request's head, and as bytes on their way to the socket. */
const bodyCopies = 3;
/** Most memory of a parsed JSON value is not text: its object, its slot, its key. */
const valueBytes = 64;

/** The memory that a running request holds, estimated. */
interface RequestBytes {
  readonly total: number;
  /** The part that each lane gives back once its call has been sent. */
  readonly bodyOfLane: number;
}

/**
 * Estimates the memory of a request: its texts once, and for each lane its context and the body of its call. `path` is the conversation
 * before the question, as far as a persona gets it. It is left out for a request that only waits.
 */
export function bytesOfRequest(request: TurnRequest, path: readonly StoredMessage[] = []): RequestBytes {
  const { input, functions } = request;
  const lanes = request.kind === "responses" ? 1 : request.personaIds.length;
  const described = [
    ...(request.kind === "responses" ? [request.options, request.tools] : []),
    ...(functions === undefined ? [] : [functions]),
  ];
  const parameters = described.length === 0 ? 0 : bytesOfJson(described);
  const texts = textsOfItems(input);
  const bytesPerChar = [...texts, ...path.map((message) => message.text)].some(isWide) ? 2 : 1;
  const itemChars = path.reduce((sum, message) => sum + charsOf(message) - message.text.length, 0);
  const pathBytes = bytesPerChar * (itemChars + path.reduce((sum, { text }) => sum + text.length, 0));
  const contextBytes =
    bytesPerChar * (itemChars + path.reduce((sum, { text }) => sum + quotedChars(text), 0));
  const textBytes = bytesPerChar * texts.reduce((sum, text) => sum + text.length, 0) + bytesOfMore(input);
  const bodyOfLane = bodyCopies * (textBytes + contextBytes + parameters);
  const total =
    requestBytes + textBytes + pathBytes + parameters + lanes * (laneBytes + contextBytes + bodyOfLane);
  return { total, bodyOfLane };
}

/** Memory of items beside their texts. */
function bytesOfMore(input: readonly Item[]): number {
  const states = input.flatMap(({ providerState }) => providerState ?? []);
  const data = attachmentsOf(input).reduce((sum, part) => sum + ("data" in part ? part.data.length : 0), 0);
  return (input.length - 1) * 2 * valueBytes + data + (states.length === 0 ? 0 : bytesOfJson(states));
}

/** V8 stores a text as one byte a character if all of them are Latin-1. */
function isWide(text: string): boolean {
  return /[\u0100-\uffff]/.test(text);
}

/** Others' words are quoted line by line. */
function quotedChars(text: string): number {
  let lines = 1;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines += 1;
  return text.length + 2 * lines;
}

/** The value is decoded, so it is no deeper than a message may be. */
function bytesOfJson(value: unknown): number {
  if (typeof value === "string") return valueBytes + 2 * value.length;
  if (typeof value !== "object" || value === null) return valueBytes / 4;
  let bytes = valueBytes;
  for (const [key, part] of Object.entries(value))
    bytes += bytesOfJson(part) + (Array.isArray(value) ? 0 : 2 * key.length);
  return bytes;
}
