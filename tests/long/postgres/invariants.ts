import type { Findings } from "../../crash/findings.ts";
import { answerTo } from "../../crash/numbered-answer.ts";
import type { BrokenPromises } from "./broken-promises.ts";
import { runOn } from "./open-store.ts";
import type { WrongWrites } from "./watch-writes.ts";

const doubleMessages = `SELECT count(*) FROM (
  SELECT 1 FROM messages WHERE request_id IS NOT NULL
  GROUP BY conversation_id, request_id, persona_id, role HAVING count(*) > 1) AS doubled`;
const wholeAnswers = `SELECT request_id, persona_id, content FROM messages
  WHERE role = 'assistant' AND status = 'completed'`;

/** The stored answers that are not the provider's, and messages that are stored twice. */
async function wrongMessages(databaseUrl: string): Promise<number> {
  const [doubled] = await runOn(databaseUrl, doubleMessages);
  const answers = await runOn(databaseUrl, wholeAnswers);
  const wrong = answers.filter(
    (row) => String(row.content) !== answerTo(String(row.request_id), String(row.persona_id)),
  );
  return Number(doubled?.count) + wrong.length;
}

/**
 * The promises of several nodes, each with its count of faults. For a run whose requests have ended and whose nodes have stopped.
 */
export async function countInvariants(
  databaseUrl: string,
  findings: Findings,
  inRows: readonly string[],
  writes: WrongWrites,
  broken: BrokenPromises,
): Promise<Readonly<Record<string, number>>> {
  const counts = new Map(findings.rows());
  const found = (...kinds: Parameters<Findings["note"]>[0][]) =>
    kinds.reduce((sum, kind) => sum + (counts.get(kind) ?? 0), 0);
  const rows = (...faults: string[]) => inRows.filter((fault) => faults.includes(fault)).length;
  return {
    "1 numbers without gap or overlap":
      found("lost", "doubled", "reordered") + rows("numbers that overlap or are missing"),
    "2 one content for each number": found("changed", "wrong replays"),
    "3 shown means stored": found("forgotten requests", "wrong replays"),
    "4 no row without a fence": writes.unfenced,
    "5 one owner of a turn": writes.foreign,
    "6 one end, and it is the last event":
      found("missing terminals", "second terminals") + rows("ends that are not the last event"),
    "7 each beat once": writes.repeated + writes.doubled,
    "8 one call for each id": found("repeated provider calls"),
    "9 no call after a cancel, and an end": broken.afterCancel.length,
    "10 no cancel by a node without a fence": broken.fencelessCancels.length,
    "11 no more than the cap, no slice of the dead": broken.overspent.length,
    "12 no byte after a revocation": broken.afterRevocation.length,
    "13 one socket for each ticket": broken.reusedTickets.length,
    "14 one message for each lane, as it was shown, and the head moves on":
      found("wrong texts") + (await wrongMessages(databaseUrl)) + broken.movedBack.length,
    "15 no turn left or late, no byte of another":
      found("given up") +
      rows("turns that run", "turns without an answer", "events of no turn") +
      broken.unowned.length +
      broken.foreign.length,
  };
}
