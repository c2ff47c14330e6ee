import { followLog } from "../ports/follow-log.ts";
import type { KeptTurn } from "../ports/turn-log.ts";
import type { TurnRequest } from "../ports/turn-request.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type Ask, contentHash } from "./ask.ts";

/** Throws `request_id_conflict` if another request has the id of this one, whose digest is `asked`. */
export function refuseOtherContent(
  { record: { contentHash: kept } }: KeptTurn,
  { request, conversation }: Ask,
  { asked, digest }: { readonly asked: string; readonly digest: (text: string) => string },
): void {
  if (kept === asked) return;
  // Earlier versions stored a digest that included the server's defaults of that time.
  if (kept === contentHash([withoutNewFields(request), conversation ?? null], digest)) return;
  throw new TroupeError("request_id_conflict", { field: "id" });
}

/** Whether the turn ended with the error of this number and may run again. Throws `seq_out_of_range`. */
export async function mayRepeat({ log }: KeptTurn, seq: number): Promise<boolean> {
  if (seq > log.headSeq) throw new TroupeError("seq_out_of_range", { field: "retrySeq" });
  if (!log.ended || seq < log.headSeq) return false;
  for await (const batch of followLog(log, { after: seq - 1 })) {
    const last = batch.type === "events" ? batch.events.at(-1)?.event : undefined;
    if (last?.type === "failure") return last.error.retryable;
  }
  return false;
}

/** A request with the fields that it had in the version that digested it. */
function withoutNewFields(request: TurnRequest): object {
  if (request.kind !== "responses") return request;
  const { inBackground: _, isTransient: __, maxTokens: ___, ...earlier } = request;
  return earlier;
}
