import { runOn } from "./open-store.ts";

/** A column as JSON, without U+0000 and halves of characters, which PostgreSQL does not read. */
const json = (column: string) => String.raw`regexp_replace(${column}, '\\u(0000|d[89a-f]..)', '', 'g')::json`;
const steps = `json_array_elements(${json("steps")})`;

/** Each with its count of rows, which must be 0. */
const faultsOnDisk = {
  "turns that run": "SELECT count(*) FROM turns WHERE node IS NOT NULL",
  "turns without an answer": "SELECT count(*) FROM turns WHERE answer IS NULL",
  "numbers that overlap or are missing": `
    SELECT count(*) FROM (
      SELECT first_seq, max(next_seq) OVER (PARTITION BY turn ORDER BY first_seq, part ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS due,
        after_seq, part
      FROM (SELECT turn, first_seq, part, after_seq, first_seq + (
          SELECT count(*) FROM ${steps} AS step WHERE step ->> 'type' <> 'checkpoint') AS next_seq
        FROM events JOIN turns ON number = turn) AS counted
    ) AS placed WHERE part = 0 AND first_seq <> coalesce(due, after_seq + 1)`,
  "ends that are not the last event": `
    SELECT count(*) FROM turns WHERE (
      SELECT sum((SELECT count(*) FROM ${steps} AS step WHERE step ->> 'type' <> 'checkpoint'))
      FROM events WHERE turn = number) <> (${json("answer")} ->> 'throughSeq')::int + 1 - after_seq`,
  "events of no turn": "SELECT count(*) FROM events WHERE turn NOT IN (SELECT number FROM turns)",
  "calls that are open": "SELECT count(*) FROM usage WHERE outcome IS NULL",
};

/** The faults in the rows of a database. After all turns have ended and all nodes have stopped there must be none. */
export async function rowFaults(databaseUrl: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [fault, count] of Object.entries(faultsOnDisk)) {
    const [row] = await runOn(databaseUrl, count);
    if (Number(row?.count) > 0) found.push(fault);
  }
  return found;
}
