import { Hono } from "hono";
import { followLog } from "../../ports/follow-log.ts";
import { isTerminal, type TerminalEvent } from "../../ports/turn-event.ts";
import type { TurnLog, TurnLogStore } from "../../ports/turn-log.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { requestId } from "../../protocol/fields.ts";
import type { ApiRoutes } from "./api-routes.ts";
import { decodeId } from "./decode-input.ts";

/** Routes for the state of the caller's requests. Throws `request_not_found`. */
export function createRequestRoutes({ logs }: { readonly logs: TurnLogStore }): ApiRoutes {
  const routes: ApiRoutes = new Hono();
  routes.get("/:id", async (context) => {
    const id = decodeId(requestId, context.req.param("id"), "request_not_found");
    const turn = await logs.find(context.get("caller").owner, id);
    if (turn === undefined) throw new TroupeError("request_not_found");
    const { conversationId } = turn.record;
    const { ended, headSeq } = turn.log;
    return context.json({
      request_id: id,
      state: ended ? "ended" : "running",
      head_seq: headSeq,
      ...(conversationId === undefined ? {} : { conversation_id: conversationId }),
      ...(ended ? encodeEnd(await readEnd(turn.log)) : {}),
    });
  });
  return routes;
}

/** The last event of an ended log. */
async function readEnd(log: TurnLog): Promise<TerminalEvent> {
  for await (const batch of followLog(log, { after: log.headSeq - 1 })) {
    const end = batch.type === "events" ? batch.events.at(-1)?.event : undefined;
    if (end !== undefined && isTerminal(end)) return end;
  }
  throw new Error("An ended log has no terminal event.");
}

function encodeEnd(end: TerminalEvent) {
  if (end.type === "answer") return { status: end.status };
  const { code, publicMessage: message, retryable, retryAfterMs } = end.error;
  return {
    status: "failed",
    error: {
      code,
      message,
      retryable,
      ...(retryAfterMs === undefined ? {} : { retry_after_ms: Math.round(retryAfterMs) }),
    },
  };
}
