import { runOn } from "./open-store.ts";

/** The tables that a node changes through its journal. */
const tables = ["events", "turns", "messages", "usage"];

/**
 * The writer is known by the name of its connection. Refused writes are counted by sequences before they are made, because a rollback
 * would take back everything else.
 */
const schema = `
  CREATE SEQUENCE unfenced_writes;
  CREATE SEQUENCE doubled_events;
  CREATE TABLE foreign_writes (turn bigint NOT NULL, writer bigint NOT NULL);
  CREATE TABLE beats_done (incarnation bigint NOT NULL, sent bigint NOT NULL);
  CREATE FUNCTION writer() RETURNS bigint LANGUAGE sql AS $$
    SELECT substring(current_setting('application_name') FROM '^troupe journal ([0-9]+)$')::bigint $$;
  CREATE FUNCTION check_writer() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NOT EXISTS (SELECT 1 FROM fences WHERE incarnation = writer() AND line = 0) AND writer() IS NOT NULL THEN
        PERFORM nextval('unfenced_writes');
      END IF;
      RETURN NEW;
    END $$;
  CREATE FUNCTION check_doubled() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT 1 FROM events WHERE turn = NEW.turn AND first_seq = NEW.first_seq AND part = NEW.part) THEN
        PERFORM nextval('doubled_events');
      END IF;
      RETURN NEW;
    END $$;
  CREATE FUNCTION check_owner() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT 1 FROM turns WHERE number = NEW.turn AND node <> writer()) THEN
        INSERT INTO foreign_writes VALUES (NEW.turn, writer());
      END IF;
      RETURN NULL;
    END $$;
  CREATE FUNCTION count_beat() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO beats_done VALUES (NEW.incarnation, NEW.sent);
      RETURN NULL;
    END $$;
  ${tables.map((table) => `CREATE TRIGGER check_writer BEFORE INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION check_writer();`).join("\n")}
  CREATE TRIGGER check_doubled BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION check_doubled();
  CREATE TRIGGER check_owner AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION check_owner();
  CREATE TRIGGER count_beat AFTER UPDATE ON fences FOR EACH ROW WHEN (NEW.line = 0) EXECUTE FUNCTION count_beat();`;

/** Lets a database judge each write of the nodes when it is made. For a database on which no node has started yet. */
export async function watchWrites(databaseUrl: string): Promise<void> {
  await runOn(databaseUrl, schema);
}

/** The writes that no node may try or make. */
export interface WrongWrites {
  /** 1 if a node tried to write after its fence was gone. */
  readonly unfenced: number;
  /** 1 if a node tried to write events under a number that has some already. */
  readonly doubled: number;
  /** Events of a turn that another node runs. */
  readonly foreign: number;
  /** Beats that were committed more than once. */
  readonly repeated: number;
}

export async function wrongWrites(databaseUrl: string): Promise<WrongWrites> {
  const [row] = await runOn(
    databaseUrl,
    `SELECT (SELECT is_called::int FROM unfenced_writes) AS unfenced, (SELECT is_called::int FROM doubled_events) AS doubled,
      (SELECT count(*) FROM foreign_writes) AS foreign,
      (SELECT count(*) FROM (SELECT 1 FROM beats_done GROUP BY incarnation, sent HAVING count(*) > 1) AS again) AS repeated`,
  );
  return {
    unfenced: Number(row?.unfenced),
    doubled: Number(row?.doubled),
    foreign: Number(row?.foreign),
    repeated: Number(row?.repeated),
  };
}
