import type { Observer } from "../../ports/observer.ts";
import { type Socket, SocketEndedError } from "../../ports/socket.ts";
import type { LogBatch } from "../../ports/turn-log.ts";
import type { ClientMessage } from "../../protocol/client-messages.ts";
import { decodeClientMessage, type FrameOrigin } from "../../protocol/decode.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ServerMessage } from "../../protocol/server-messages.ts";
import type { FoundConversation } from "../../server/conversation-follows.ts";
import type { Question } from "../../server/question.ts";
import type { Audience, Session } from "../../server/session.ts";
import { failure } from "./encode-event.ts";
import { BatchParcel, MessageParcel, Outbox, type SharedFrames } from "./outbox.ts";
import { type DefaultPacing, readAsk, wireField } from "./read-ask.ts";

/** Options that all connections of a server share. */
interface ConnectionOptions {
  readonly defaultPacing: DefaultPacing;
  readonly frames: SharedFrames;
  /** Is told refusals, and the cause of an `internal_error`, which the client is not told. */
  readonly observer: Observer;
}

/** One client at `/ws`. */
export class Connection implements Audience {
  readonly #options: ConnectionOptions;
  readonly #outbox: Outbox;
  readonly #session: Session;

  /** `openSession` makes this connection's session. */
  constructor(socket: Socket, openSession: (audience: Audience) => Session, options: ConnectionOptions) {
    this.#options = options;
    this.#outbox = new Outbox(socket);
    this.#session = openSession(this);
  }

  /**
   * Handles one frame. Settles when the next may be handled, which is after the reply to this one was taken: a client that does not read
   * is not read either. It never throws for a bad frame. Not an async function, which would hold the frame until then.
   */
  receive(frame: string | Uint8Array): Promise<void> {
    if (typeof frame !== "string") return this.#refuse(new TroupeError("binary_not_supported"));
    const decoded = decodeClientMessage(frame);
    if (!decoded.ok) return this.#refuse(decoded.error, decoded.origin, requestAsked(decoded.origin));
    const { message } = decoded;
    const { type, id } = message;
    const origin = id === undefined ? { type } : { type, id };
    return this.#handle(message).catch((error: unknown) => this.#refuse(error, origin, subjectOf(message)));
  }

  deliver(requestId: string, batch: LogBatch, onTaken: (fault?: unknown) => void): void {
    this.#outbox.put(new BatchParcel(requestId, batch, onTaken, this.#options.frames));
  }

  question({ conversationId, requestId, kind, message, personaIds }: Question): Promise<void> {
    return this.#send({
      type: "question",
      conversation_id: conversationId,
      request_id: requestId,
      request_type: kind === "persona" ? "chat" : "multi_chat",
      message,
      persona_ids: [...personaIds],
    });
  }

  /**
   * Settles when everything that is followed was delivered to its end. Requests that are unfinished when `over` settles are not waited
   * for.
   */
  settle(over: Promise<unknown>): Promise<void> {
    return this.#session.settle(over);
  }

  /** Whether the client can go on with everything at another server that shares the stores. */
  get canMove(): boolean {
    return this.#session.canMove;
  }

  /** Ends the session, because the connection is gone. */
  close(): Promise<void> {
    return this.#session.close();
  }

  #send(...messages: ServerMessage[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (fault?: unknown) => (fault === undefined ? resolve() : reject(fault));
      this.#outbox.put(new MessageParcel(messages, settle));
    });
  }

  async #handle(message: ClientMessage): Promise<void> {
    const replyId = message.id === undefined ? {} : { id: message.id };
    switch (message.type) {
      case "openai_chat":
      case "chat":
      case "multi_chat":
        return this.#session.ask(readAsk(message, this.#options.defaultPacing), (error) =>
          this.#refuse(error, { type: message.type }),
        );
      case "cancel": {
        const { request_id, persona_id } = message.data;
        await this.#session.cancel(request_id, persona_id);
        const lane = persona_id === undefined ? {} : { persona_id };
        return this.#send({ type: "cancelling", request_id, ...lane, ...replyId });
      }
      case "resume":
        return this.#session.resume(message.data.request_id, message.data.after_seq, ({ record, log }) =>
          this.#send({
            type: "resumed",
            request_id: record.id,
            head_seq: log.headSeq,
            state: log.ended ? "ended" : "running",
            ...(record.conversationId === undefined ? {} : { conversation_id: record.conversationId }),
            ...replyId,
          }),
        );
      case "follow": {
        const { conversation_id, after, after_seq: afterSeq } = message.data;
        if (afterSeq !== undefined && (after ?? "") === "") throw placeWithoutRequest();
        return this.#session.follow(conversation_id, { after, afterSeq }, (found) =>
          this.#send({ type: "following", conversation_id, ...followed(found), ...replyId }),
        );
      }
      case "unfollow": {
        const { conversation_id } = message.data;
        this.#session.unfollow(conversation_id);
        return this.#send({ type: "unfollowed", conversation_id, ...replyId });
      }
      case "ping":
        return this.#send({ type: "pong", ...replyId });
    }
  }

  /** `subject`: the request or conversation that the frame was about. */
  async #refuse(thrown: unknown, origin?: FrameOrigin, subject: Subject = {}): Promise<void> {
    // If a reply could not be sent, neither can its refusal.
    if (thrown instanceof SocketEndedError) return;
    const { observer } = this.#options;
    const error = TroupeError.from(thrown);
    observer.refused?.({ at: "frame", code: error.code });
    if (error.code === "internal_error") observer.faulted?.({ where: "frame", error: thrown });
    try {
      await this.#send({
        type: "error",
        status: "error",
        ...failure(error),
        ...(error.field === undefined ? {} : { field: wireField(error.field) }),
        ...(origin === undefined ? {} : { in_reply_to: origin }),
        ...subject,
      });
    } catch (fault) {
      if (!(fault instanceof SocketEndedError)) observer.faulted?.({ where: "frame", error: fault });
    }
  }
}

function placeWithoutRequest(): TroupeError {
  const detail = "data.after_seq needs data.after beside it: it is a place in that request.";
  return new TroupeError("invalid_message", { field: "data.after_seq", detail });
}

/** Max ids that a reply names: with more it could be too large to read. */
const maxNamed = 1_000;

function followed({ running, newest }: FoundConversation) {
  return {
    running: running.slice(0, maxNamed).map(({ record }) => record.id),
    ...(newest === undefined ? {} : { last_request_id: newest }),
  };
}

type Subject = { readonly request_id?: string; readonly conversation_id?: string };

/** The request or conversation that a message is about, so that a client can match its refusal. */
function subjectOf(message: ClientMessage): Subject {
  switch (message.type) {
    case "cancel":
    case "resume":
      return { request_id: message.data.request_id };
    case "follow":
    case "unfollow":
      return { conversation_id: message.data.conversation_id };
    default:
      return requestAsked(message);
  }
}

const asks: ReadonlySet<string> = new Set(["openai_chat", "chat", "multi_chat"]);

/** The id of the request that a frame asked, if it named one. */
function requestAsked({ type, id }: { type?: string; id?: string | undefined } = {}): Subject {
  return type !== undefined && asks.has(type) && id !== undefined ? { request_id: id } : {};
}
