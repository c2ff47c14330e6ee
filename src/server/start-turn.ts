import { bytesOfRequest, prepareReply, type TargetConversation } from "../chat/prepare-reply.ts";
import { estimateItems } from "../chat/usage.ts";
import type { Caller } from "../ports/caller.ts";
import type { HeldBytes, Hold } from "../ports/fair-shares.ts";
import { followLog } from "../ports/follow-log.ts";
import { userText } from "../ports/item.ts";
import { SocketEndedError } from "../ports/socket.ts";
import type { KeptTurn, TurnLogStore, TurnRecord } from "../ports/turn-log.ts";
import type { ResumableRequest, TurnRequest, WhenInterrupted, WhenUnwatched } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type Admission, refuseUnpriced } from "./budget/admission.ts";
import { checkPosition } from "./followers.ts";
import { createTurnRunner, type Launch, type RunOptions, type TurnRegistry } from "./run-turn.ts";

/** A request for an answer, as a session passes it on. */
export interface Ask {
  readonly caller: Caller;
  readonly id: string;
  /** The client chose the id, so a turn of this name may exist. */
  readonly isNamed: boolean;
  readonly request: TurnRequest;
  /** Counts the request's memory, or returns the hold made when it started to wait. Called once, for a new request. */
  readonly hold: () => Hold;
  /** The client's message without the server's defaults: the same name and content mean the same request. */
  readonly content: object;
  /** The conversation that the client named, or `new`. */
  readonly conversation: string | undefined;
  /** The connection's own conversation, for a request that names none. If it no longer exists, a new one starts. */
  readonly ownConversation?: string | undefined;
  readonly whenUnwatched: WhenUnwatched;
  readonly whenInterrupted: WhenInterrupted;
  /** The number of the error that ended the request. It runs again if that is still its end and can be retried. */
  readonly retrySeq?: number;
}

/** The parts and limits that every turn is started with. */
export interface TurnStartOptions extends RunOptions {
  readonly logs: TurnLogStore;
  readonly admission: Omit<Admission, "count">;
  /** Digest of a text, used to recognize a repeated request. */
  readonly digest: (text: string) => string;
  /** Calls are paid in money, so requests with parts that have no price are refused. */
  readonly isMoneyLimited: boolean;
}

/** A turn that was started, or found by its id. */
export interface StartedTurn {
  readonly turn: KeptTurn;
  /** False: the same request had already started it. */
  readonly started: boolean;
}

/** When a request arrived, and the resources that it gives back. */
type Taken = Pick<Launch, "arrivedAtMs" | "hold" | "release">;

/** Starts turns: takes a request through everything that can refuse it, to a running turn. */
export function createTurnStart(options: TurnStartOptions, registry: TurnRegistry) {
  const { chat, logs, admission, digest } = options;
  const run = createTurnRunner(options, registry);

  /** See `Turns.start`. */
  async function start(ask: Ask): Promise<StartedTurn> {
    const arrivedAtMs = chat.clock.now();
    const { id, isNamed, retrySeq } = ask;
    const { owner } = ask.caller;
    const asked = { owner, id, contentHash: contentHash(ask.content, digest) };
    // In one step, so that a store can answer both in one trip.
    const [kept, found] = await Promise.all([
      isNamed ? logs.find(owner, id) : undefined,
      findTarget(ask, asked),
    ]);
    if (kept !== undefined) {
      refuseOtherContent(kept, ask, { asked: asked.contentHash, digest });
      if (retrySeq === undefined || !(await mayRepeat(kept, retrySeq))) return { turn: kept, started: false };
    }
    const { conversationId } = kept?.record ?? {};
    const record: TurnRecord = {
      ...asked,
      ...(conversationId === undefined ? {} : { conversationId }),
      ...(retrySeq === undefined ? {} : { afterSeq: retrySeq }),
    };
    const target = conversationId === undefined ? found : await findTarget(ask, record);
    if (registry.isClosing()) throw new TroupeError("shutting_down");
    if (ask.request.kind === "responses" && options.isMoneyLimited) refuseUnpriced(ask.request);
    const hold = ask.hold();
    let release = () => hold.release();
    try {
      const leave = await admission.admit(ask.caller, estimateItems(ask.request.input));
      release = () => {
        hold.release();
        leave();
      };
      return await begin(ask, record, target, { arrivedAtMs, hold, release });
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Looks up the conversation of a request, or makes an id for a new one. */
  async function findTarget(
    { request, conversation: named, ownConversation }: Ask,
    { owner, conversationId: kept, afterSeq }: TurnRecord,
  ): Promise<TargetConversation | undefined> {
    if (request.kind === "responses" || request.bringsHistory === true) return undefined;
    const id = kept ?? (named === "new" ? undefined : (named ?? ownConversation));
    if (id !== undefined) {
      const head = await chat.conversations.headPath(owner, id, chat.contextChars);
      if (head !== undefined) return { id, isNew: false, head };
      // A turn that failed before its first status may have no conversation yet. Any other has one, unless it was deleted.
      if (kept !== undefined) return { id, isNew: afterSeq === 1 };
      if (named !== undefined) return { id, isNew: false };
    }
    return { id: chat.clock.newId(), isNew: true };
  }

  /** Looks up the personas, makes the log together with the question, and runs the turn. */
  async function begin(
    ask: Ask,
    asked: TurnRecord,
    target: TargetConversation | undefined,
    taken: Taken,
  ): Promise<StartedTurn> {
    const { hold, release } = taken;
    const conversationId = target?.id;
    const record: TurnRecord = {
      ...asked,
      ...(conversationId === undefined ? {} : { conversationId }),
      ...(ask.request.kind === "responses" && ask.request.isTransient === true ? { transient: true } : {}),
    };
    const prepared = await prepareReply(ask.request, { ...record, target }, chat);
    hold.resize(prepared.bytes.total);
    if (!options.isAdmitted(ask.caller)) throw new SocketEndedError("The caller may not come any more.");
    if (registry.isClosing()) throw new TroupeError("shutting_down");
    const created = await logs.create(record, {
      request: resumable(ask, record),
      asked: record.conversationId === undefined ? undefined : toResume(ask),
      isNew: record.afterSeq === undefined,
      place: { caller: ask.caller, heldBytes: hold.bytes },
      question: prepared.question,
    });
    if (created.type === "full") throw new TroupeError("overloaded");
    // Another turn of the conversation has ended meanwhile, or the conversation was deleted.
    if (created.type === "moved") return begin(ask, asked, await findTarget(ask, asked), taken);
    if (created.type === "exists") {
      release();
      refuseOtherContent(created.turn, ask, { asked: record.contentHash, digest });
      return { turn: created.turn, started: false };
    }
    const turn: KeptTurn = { record, log: created.log };
    run(turn, { ...taken, asked: ask, prepared, isRecovered: false });
    return { turn, started: true };
  }

  return {
    start,
    run,
    /** See `Turns.hold`. */
    hold: (caller: Caller, request: TurnRequest, connection: HeldBytes): Hold =>
      admission.hold(caller, bytesOfRequest(request).total, connection),
  };
}

/**
 * A digest that is equal for equal JSON contents, in any order of their keys. Stored turns keep it, so the digested text must never
 * change for the same contents.
 */
export function contentHash(content: unknown, digest: (text: string) => string): string {
  return digest(JSON.stringify(withSortedKeys(content)));
}

function withSortedKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withSortedKeys);
  const given = value as Readonly<Record<string, unknown>>;
  // Without a prototype, `__proto__` is a key like any other.
  const sorted: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(given).sort()) sorted[key] = withSortedKeys(given[key]);
  return sorted;
}

/** Throws `request_id_conflict` if another request has the id of this one, whose digest is `asked`. */
function refuseOtherContent(
  { record: { contentHash: kept } }: KeptTurn,
  { request, conversation }: Ask,
  { asked, digest }: { readonly asked: string; readonly digest: (text: string) => string },
): void {
  if (kept === asked) return;
  // Earlier versions stored a digest that included the server's defaults of that time.
  if (kept === contentHash([inEarlierShape(request), conversation ?? null], digest)) return;
  throw new TroupeError("request_id_conflict", { field: "id" });
}

/** Whether the turn ended with the error of this number and may run again. Throws `seq_out_of_range`. */
async function mayRepeat(turn: KeptTurn, seq: number): Promise<boolean> {
  await checkPosition(turn, seq, "retrySeq");
  const { log } = turn;
  if (!log.ended || seq < log.headSeq) return false;
  for await (const batch of followLog(log, { after: seq - 1 })) {
    const last = batch.type === "events" ? batch.events.at(-1)?.event : undefined;
    if (last?.type === "failure") return last.error.retryable;
  }
  return false;
}

/** A request as the version had it that digested it. */
function inEarlierShape({ input, ...request }: TurnRequest): object {
  const text = userText(input);
  if (request.kind !== "responses") return { api: "openai", ...request, message: text };
  const { inBackground: _, isTransient: __, maxTokens: ___, ...earlier } = request;
  return { ...earlier, inputText: text };
}

/** The part of a request to store beside its log: `undefined` unless a later process could use it. */
export function resumable(
  asked: ResumableRequest,
  { transient = false }: TurnRecord,
): ResumableRequest | undefined {
  const isOfUse = runsOn(asked) || asked.whenInterrupted === "restart";
  return isOfUse && !transient ? toResume(asked) : undefined;
}

function toResume({ caller, request, whenUnwatched, whenInterrupted }: ResumableRequest): ResumableRequest {
  return { caller, request, whenUnwatched, whenInterrupted };
}

/** Whether the provider goes on with the request even if no process is connected to it. */
export function runsOn({ request }: ResumableRequest): boolean {
  return request.kind === "responses" && request.inBackground === true;
}
