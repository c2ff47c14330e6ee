import type { LiveTurn } from "../../ports/peers.ts";
import { type Socket, SocketEndedError } from "../../ports/socket.ts";
import type { LogBatch } from "../../ports/turn-log.ts";
import type { ClientMessage } from "../../protocol/client-messages.ts";
import { decodeClientMessage, type FrameOrigin } from "../../protocol/decode.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ServerMessage } from "../../protocol/server-messages.ts";
import type { Audience, Session } from "../../server/session.ts";
import { failure } from "./encode-event.ts";
import { Outbox } from "./outbox.ts";
import { BatchParcel, MessageParcel } from "./parcels.ts";
import { type DefaultPacing, readAsk } from "./read-ask.ts";
import type { SharedFrames } from "./shared-frames.ts";

/** What all connections of a server share. */
export interface ConnectionOptions {
  readonly defaultPacing: DefaultPacing;
  readonly frames: SharedFrames;
  /** Hears of what was refused as `internal_error`, whose cause the client is not told. */
  readonly onFault: (fault: unknown) => void;
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
   * Handles one frame; settles when the next may be handled, which is after the reply to this one was taken: a client that does not
   * read is not read either. A frame is never an exception. Not an async function, which would hold the frame until then.
   */
  receive(frame: string | Uint8Array): Promise<void> {
    if (typeof frame !== "string") return this.#refuse(new TroupeError("binary_not_supported"), undefined);
    const decoded = decodeClientMessage(frame);
    if (!decoded.ok) return this.#refuse(decoded.error, decoded.origin);
    const { type, id } = decoded.message;
    const origin = id === undefined ? { type } : { type, id };
    return this.#handle(decoded.message).catch((error: unknown) => this.#refuse(error, origin));
  }

  deliver(requestId: string, batch: LogBatch, onTaken: (fault?: unknown) => void): void {
    this.#outbox.put(new BatchParcel(requestId, batch, onTaken, this.#options.frames));
  }

  question(turn: LiveTurn): Promise<void> {
    return this.#send(...questionOf(turn));
  }

  /** Settles when everything that is followed was delivered to its end; what has none when `over` settles is not waited for. */
  settle(over: Promise<unknown>): Promise<void> {
    return this.#session.settle(over);
  }

  /** The connection is gone. */
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
    switch (message.type) {
      case "openai_chat":
      case "chat":
      case "multi_chat":
        return this.#session.ask(readAsk(message, this.#options.defaultPacing), (error) =>
          this.#refuse(error, { type: message.type }),
        );
      case "cancel":
        return this.#session.cancel(message.data.request_id, message.data.persona_id);
      case "resume":
        return this.#session.resume(message.data.request_id, message.data.after_seq, ({ record, log }) =>
          this.#send({
            type: "resumed",
            request_id: record.id,
            head_seq: log.headSeq,
            state: log.ended ? "ended" : "running",
          }),
        );
      case "follow": {
        const { conversation_id } = message.data;
        return this.#session.follow(conversation_id, (running) =>
          this.#send({ type: "following", conversation_id, running: running.map((turn) => turn.record.id) }),
        );
      }
      case "ping":
        return this.#send({ type: "pong", ...(message.id === undefined ? {} : { id: message.id }) });
    }
  }

  async #refuse(thrown: unknown, origin: FrameOrigin | undefined): Promise<void> {
    // A reply that could not be sent needs no second one.
    if (thrown instanceof SocketEndedError) return;
    const { onFault } = this.#options;
    const error = TroupeError.from(thrown);
    if (error.code === "internal_error") onFault(thrown);
    try {
      await this.#send({
        type: "error",
        status: "error",
        ...failure(error),
        ...(error.field === undefined ? {} : { field: error.field }),
        ...(origin === undefined ? {} : { in_reply_to: origin }),
      });
    } catch (fault) {
      if (!(fault instanceof SocketEndedError)) onFault(fault);
    }
  }
}

function questionOf({ record, request }: LiveTurn): ServerMessage[] {
  const { conversationId } = record;
  if (request.kind === "responses" || conversationId === undefined) return [];
  return [
    {
      type: "question",
      conversation_id: conversationId,
      request_id: record.id,
      request_type: request.kind === "persona" ? "chat" : "multi_chat",
      message: request.message,
      persona_ids: [...request.personaIds],
    },
  ];
}
