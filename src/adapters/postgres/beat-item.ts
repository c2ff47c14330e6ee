import type { MessageRow } from "../database/conversation-rows.ts";

/** A message to insert, with its words for the index. */
export interface NewRow extends MessageRow {
  /** One word a line; `null` if there are too many. */
  readonly words: string | null;
}

/** Begins a turn, with its question. */
export interface StartItem {
  readonly kind: "start";
  readonly turn: {
    readonly number: number;
    readonly owner: string;
    readonly id: string;
    readonly contentHash: string;
    readonly conversationId: string | null;
    readonly atMs: number;
    readonly afterSeq: number;
    /** JSON. */
    readonly request: string | null;
    /** It takes the place of an ended turn of the same id. */
    readonly replaces: boolean;
  };
  readonly question?: {
    readonly message: NewRow;
    readonly title: string | null;
    /** The head under which it belongs, `null` if there is none; absent for a new conversation. */
    readonly under?: { readonly headId: string | null };
  };
}

/** Appends to a turn, and ends it if `end` is there. */
export interface StepsItem {
  readonly kind: "steps";
  readonly turn: number;
  readonly firstSeq: number;
  readonly part: number;
  /** JSON array. */
  readonly steps: string;
  readonly events: number;
  readonly end?: { readonly endedMs: number; readonly answer: string };
}

/** Lets a turn go, so that any node may take it up. */
interface LeaveItem {
  readonly kind: "leave";
  readonly turn: number;
}

/** Changes nothing: its beat shows that the fence stands. */
interface NothingItem {
  readonly kind: "nothing";
}

/** Stores messages in a conversation and moves its head, unless it is gone. */
interface MessagesItem {
  readonly kind: "messages";
  readonly owner: string;
  readonly conversationId: string;
  readonly messages: readonly NewRow[];
  /** Its title if it has none yet. */
  readonly title: string | null;
  readonly headId: string | null;
  readonly atMs: number;
}

/** A call of a provider begins. */
interface CallItem {
  readonly kind: "call";
  readonly id: string;
  readonly owner: string;
  readonly keyId: string;
  readonly requestId: string | null;
  readonly conversationId: string | null;
  readonly lane: string | null;
  readonly call: number;
  readonly api: string;
  readonly model: string;
  readonly day: number;
  readonly atMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** It takes the place of the last call with the same request, lane and number. */
  readonly replaces: boolean;
}

/** A call has reserved more, or has ended. */
interface CallChangeItem {
  readonly kind: "call-change";
  readonly id: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly end?: {
    readonly day: number;
    readonly estimated: boolean;
    readonly outcome: string;
    /** `null`: not known. */
    readonly costUsd: number | null;
    readonly isCostApproximate: boolean;
  };
}

/** The vendor made these ids for an owner. No digest is there twice. */
interface VendorIdsItem {
  readonly kind: "vendor-ids";
  readonly owner: string;
  readonly digests: readonly string[];
  readonly notedMs: number;
}

/** A response that later requests can continue. */
interface ResponseItem {
  readonly kind: "response";
  readonly owner: string;
  readonly digest: string;
  /** The digest of the response that it continues. */
  readonly previous: string | null;
  /** JSON. */
  readonly items: string;
  readonly keptMs: number;
}

/** A change that is committed with the beat, whole or not at all. */
export type BeatItem =
  | StartItem
  | StepsItem
  | LeaveItem
  | NothingItem
  | MessagesItem
  | CallItem
  | CallChangeItem
  | VendorIdsItem
  | ResponseItem;
export type ItemOf<Kind extends BeatItem["kind"]> = Extract<BeatItem, { kind: Kind }>;

/**
 * The rows that an item changes. The parts of one statement do not see each other, so a row must not be changed twice in a beat. An item
 * waits for the next beat if an earlier item has one of its keys.
 */
export function keysOf(item: BeatItem): readonly string[] {
  switch (item.kind) {
    case "start": {
      const { owner, id, conversationId } = item.turn;
      const turn = `turn ${owner}\n${id}`;
      return item.question === undefined ? [turn] : [turn, `conversation ${conversationId}`];
    }
    case "steps":
    case "leave":
      return [`steps ${item.turn}`];
    case "nothing":
      return [];
    case "messages":
      return [`conversation ${item.conversationId}`];
    case "call":
    case "call-change":
      return [`call ${item.id}`];
    case "vendor-ids":
      return item.digests;
    case "response":
      return [`response ${item.digest}`];
  }
}

/** The size of an item's texts, characters. */
export function charsOf(item: BeatItem): number {
  switch (item.kind) {
    case "start":
      return (
        (item.turn.request?.length ?? 0) +
        (item.question === undefined ? 0 : charsOfRow(item.question.message))
      );
    case "steps":
      return item.steps.length + (item.end?.answer.length ?? 0);
    case "messages":
      return item.messages.reduce((sum, message) => sum + charsOfRow(message), 0);
    case "leave":
    case "nothing":
    case "call":
    case "call-change":
      return 0;
    case "vendor-ids":
      return item.digests.length * 64;
    case "response":
      return item.items.length;
  }
}

function charsOfRow({ text, items, words }: NewRow): number {
  return text.length + (items?.length ?? 0) + (words?.length ?? 0);
}
