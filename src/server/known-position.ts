import type { KeptTurn } from "../ports/turn-log.ts";
import { TroupeError } from "../protocol/errors.ts";

/**
 * Throws `seq_out_of_range` for `field` if a turn has no event of this number. Another process may show an event before this one, which
 * runs the turn, hears that the event is committed. So a log that seems to be behind is asked once more, after a commit of its own.
 */
export async function checkPosition({ log }: KeptTurn, seq: number, field: string): Promise<void> {
  if (seq > log.headSeq && !log.ended && log.confirm !== undefined) {
    await log.confirm().catch((cause: unknown) => {
      throw new TroupeError("storage_unavailable", { cause });
    });
  }
  if (seq > log.headSeq) throw new TroupeError("seq_out_of_range", { field });
}
