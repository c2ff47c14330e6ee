import { setTimeout as sleep } from "node:timers/promises";
import type { Findings } from "../../crash/findings.ts";
import type { RequestRecord } from "../../crash/request-record.ts";
import { messagesOf } from "../../crash/seen-texts.ts";
import type { FaultPlace } from "./fault-place.ts";
import { runOn } from "./open-store.ts";

/** A rollback does not take back a sequence's number. Rows with an end are stored, so that each turn can tell its own. */
const refuseRows = `
  CREATE OR REPLACE FUNCTION refuse_row() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF to_regclass('refused_' || NEW.turn) IS NOT NULL AND NEW.steps LIKE '%"type":"text"%'
        AND NEW.steps NOT LIKE '%"type":"failure"%' AND NEW.steps NOT LIKE '%"type":"answer"%' THEN
        PERFORM nextval('refused_' || NEW.turn);
        RAISE EXCEPTION 'a row at fault' USING ERRCODE = 'character_not_in_repertoire';
      END IF;
      RETURN NEW;
    END $$;
  CREATE OR REPLACE TRIGGER refuse_row BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse_row();`;

/** The turns that are chosen at a time. */
const maxTurns = 3;

/**
 * The database refuses rows of some turns for their values. They share their commits with rows of all others. Settles after the first
 * refusals, however late the nodes find a database that was away.
 */
export async function refuseSomeRows({ databaseUrl, onRefused }: FaultPlace): Promise<void> {
  const chosen = new Map<number, string>();
  const refused = async () => {
    const calls = await Promise.all(
      [...chosen].map(async ([turn, id]) => {
        const [row] = await runOn(databaseUrl, `SELECT is_called FROM refused_${turn}`);
        return row?.is_called === true ? [id] : [];
      }),
    );
    return calls.flat();
  };
  await runOn(databaseUrl, refuseRows);
  do {
    const running = await runOn(
      databaseUrl,
      `SELECT number, id FROM turns WHERE node IS NOT NULL AND number <> ALL ($1::bigint[]) ORDER BY number DESC LIMIT ${maxTurns}`,
      [[...chosen.keys()]],
    );
    for (const { number, id } of running) {
      await runOn(databaseUrl, `CREATE SEQUENCE refused_${number}`);
      chosen.set(Number(number), String(id));
    }
    await sleep(2_000);
  } while ((await refused()).length === 0);
  await runOn(databaseUrl, "DROP TRIGGER refuse_row ON events");
  for (const id of await refused()) onRefused(id);
  for (const turn of chosen.keys()) await runOn(databaseUrl, `DROP SEQUENCE refused_${turn}`);
}

/** Requests of which a row was refused must end with `internal_error`. */
export function checkRefused(
  records: readonly RequestRecord[],
  refused: ReadonlySet<string>,
  findings: Findings,
): void {
  for (const record of records) {
    const end = messagesOf(record).at(-1);
    const isOwn = end?.type === "error" && end.code === "internal_error";
    if (refused.has(record.ask.id) !== isOwn)
      findings.note("wrong ends", `${record.ask.id}: ${JSON.stringify(end)}`);
  }
}
