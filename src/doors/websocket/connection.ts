import type { LiveTurn } from "../../ports/peers.ts";
import { type Socket, SocketEndedError } from "../../ports/socket.ts";
import type { KeptTurn, LoggedEvent } from "../../ports/turn-log.ts";
import type { ClientMessage } from "../../protocol/client-messages.ts";
import { decodeClientMessage, type FrameOrigin } from "../../protocol/decode.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ServerMessage } from "../../protocol/server-messages.ts";
import type { Audience, Session } from "../../server/session.ts";
import { encodeEvent, failure } from "./encode-event.ts";
import { createOutbox } from "./outbox.ts";
import { type DefaultPacing, readAsk } from "./read-ask.ts";

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly defaultPacing: DefaultPacing;
  /** Makes this connection's session. */
  readonly openSession: (audience: Audience) => Session;
  /** Hears of what was refused as `internal_error`, whose cause the client is not told. */
  readonly onFault: (fault: unknown) => void;
}

/** One client at `/ws`. */
export interface Connection {
  /**
   * Handles one frame; settles when the next may be handled, which is after the reply to this one was taken: a client that does not
   * read is not read either. A frame is never an exception.
   */
  receive(frame: string | Uint8Array): Promise<void>;
  /** Settles when everything that is followed was delivered to its end; what has none when `over` settles is not waited for. */
  settle(over: Promise<unknown>): Promise<void>;
  /** The connection is gone. */
  close(): Promise<void>;
}

export function createConnection({
  socket,
  defaultPacing,
  openSession,
  onFault,
}: ConnectionOptions): Connection {
  const outbox = createOutbox(socket);
  const send = (...messages: ServerMessage[]) =>
    outbox.put(messages.map((message) => JSON.stringify(message)));

  const session = openSession({
    async deliver(requestId, batch) {
      if (batch.type === "events") return outbox.put(encodeAll(requestId, batch.events));
      const lanes = batch.lanes.map(({ lane, text }) =>
        lane === undefined ? { text } : { persona_id: lane, text },
      );
      await send({ type: "reset", request_id: requestId, through_seq: batch.throughSeq, lanes });
    },
    question: (turn) => send(...questionOf(turn)),
  });

  async function handle(message: ClientMessage): Promise<void> {
    switch (message.type) {
      case "openai_chat":
      case "chat":
      case "multi_chat":
        return session.ask(readAsk(message, defaultPacing), (error) => refuse(error, { type: message.type }));
      case "cancel":
        return session.cancel(message.data.request_id, message.data.persona_id);
      case "resume":
        return session.resume(message.data.request_id, message.data.after_seq, ({ record, log }: KeptTurn) =>
          send({
            type: "resumed",
            request_id: record.id,
            head_seq: log.headSeq,
            state: log.ended ? "ended" : "running",
          }),
        );
      case "follow": {
        const { conversation_id } = message.data;
        return session.follow(conversation_id, (running) =>
          send({ type: "following", conversation_id, running: running.map((turn) => turn.record.id) }),
        );
      }
      case "ping":
        return send({ type: "pong", ...(message.id === undefined ? {} : { id: message.id }) });
    }
  }

  async function refuse(thrown: unknown, origin: FrameOrigin | undefined): Promise<void> {
    // A reply that could not be sent needs no second one.
    if (thrown instanceof SocketEndedError) return;
    const error = TroupeError.from(thrown);
    if (error.code === "internal_error") onFault(thrown);
    try {
      await send({
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

  return {
    async receive(frame) {
      if (typeof frame !== "string") return refuse(new TroupeError("binary_not_supported"), undefined);
      const decoded = decodeClientMessage(frame);
      if (!decoded.ok) return refuse(decoded.error, decoded.origin);
      const { message } = decoded;
      try {
        await handle(message);
      } catch (error) {
        await refuse(error, { type: message.type, ...(message.id === undefined ? {} : { id: message.id }) });
      }
    },
    settle: session.settle,
    close: session.close,
  };
}

function* encodeAll(requestId: string, events: readonly LoggedEvent[]): Generator<string> {
  for (const event of events) yield encodeEvent(requestId, event);
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
