import type { ServerMessage, ServerMessages } from "../protocol/server-messages.ts";
import { createMessageLog, type MessageLog } from "./message-log.ts";
import type { TroupeRequest } from "./request.ts";
import { failureOf, TroupeRequestError } from "./request-error.ts";

/** Another client's request in a followed conversation. */
export interface FollowedRequest {
  readonly question: ServerMessages["question"];
  readonly request: TroupeRequest;
}

/** A followed conversation. */
interface Follow {
  readonly log: MessageLog<FollowedRequest>;
  /** The newest known request: a new connection continues after it. */
  after: string | undefined;
  /** The server has accepted it once. If the server has forgotten `after` since then, the rest is still followed. */
  isAccepted: boolean;
}

interface FollowTableOptions {
  readonly isOpen: () => boolean;
  readonly send: (text: string) => void;
  /** Adds a request whose messages are about to come; `undefined` if it is already known. */
  readonly join: (id: string) => TroupeRequest | undefined;
}

/** All followed conversations, with the messages that each needs on a new connection. */
interface FollowTable {
  follow(conversationId: string, after: string | undefined): AsyncIterable<FollowedRequest>;
  unfollow(conversationId: string): void;
  /** Records a request of this client, because `follow` delivers it too. */
  noteOwn(requestId: string): void;
  attachAll(): void;
  /** Takes a message that belongs to a follow; `false` for any other. */
  receive(message: ServerMessage): boolean;
  endAll(failure: Error | undefined): void;
}

/** Max remembered ids of own requests. */
const maxOwnIds = 10_000;

export function createFollowTable({ isOpen, send, join }: FollowTableOptions): FollowTable {
  const follows = new Map<string, Follow>();
  const ownIds = new Set<string>();

  function sendVerb(type: "follow" | "unfollow", id: string): void {
    const after = type === "follow" ? { after: follows.get(id)?.after } : {};
    send(JSON.stringify({ type, id, data: { conversation_id: id, ...after } }));
  }

  function refuse(message: ServerMessages["error"]): void {
    const { id = "" } = message.in_reply_to ?? {};
    const follow = follows.get(id);
    if (message.code === "request_not_found" && follow?.isAccepted === true) {
      follow.after = undefined;
      sendVerb("follow", id);
      return;
    }
    follow?.log.end(new TroupeRequestError(failureOf(message)));
    follows.delete(id);
  }

  function ask(question: ServerMessages["question"]): void {
    const { request_id: id, conversation_id: conversationId } = question;
    const request = join(id);
    const follow = follows.get(conversationId);
    if (follow === undefined) return;
    follow.after = id;
    if (request !== undefined && !ownIds.has(id)) follow.log.push({ question, request });
  }

  return {
    follow(conversationId, after) {
      const known = follows.get(conversationId);
      if (known !== undefined) return known.log;
      const log = createMessageLog<FollowedRequest>();
      follows.set(conversationId, { log, after, isAccepted: false });
      if (isOpen()) sendVerb("follow", conversationId);
      return { [Symbol.asyncIterator]: () => log[Symbol.asyncIterator]() };
    },
    unfollow(conversationId) {
      follows.get(conversationId)?.log.end();
      if (follows.delete(conversationId) && isOpen()) sendVerb("unfollow", conversationId);
    },
    noteOwn(requestId) {
      ownIds.add(requestId);
      const [oldest] = ownIds;
      if (ownIds.size > maxOwnIds && oldest !== undefined) ownIds.delete(oldest);
    },
    attachAll() {
      for (const conversationId of follows.keys()) sendVerb("follow", conversationId);
    },
    receive(message) {
      if (message.type === "question") ask(message);
      else if (message.type === "following") {
        const follow = follows.get(message.conversation_id);
        if (follow === undefined) return true;
        follow.isAccepted = true;
        follow.after ??= message.last_request_id;
      } else if (message.type === "error" && message.in_reply_to?.type === "follow") refuse(message);
      else return false;
      return true;
    },
    endAll(failure) {
      for (const { log } of follows.values()) log.end(failure);
      follows.clear();
    },
  };
}
