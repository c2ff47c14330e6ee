import { runOn } from "./open-store.ts";

/** The tables that a node changes through its journal. */
const tables = ["events", "turns", "messages", "usage"];

/**
 * The writer is known by the name of its connection. Writes without a fence are counted by a sequence before they are made, because a
 * rollback would take back everything else.
 */
const schema = `
  CREATE SEQUENCE unfenced_writes;
  CREATE TABLE wrong_writes (what text NOT NULL);
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
  CREATE FUNCTION check_owner() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT 1 FROM turns WHERE number = NEW.turn AND node <> writer()) THEN
        INSERT INTO wrong_writes VALUES ('events of turn ' || NEW.turn || ' by ' || writer() || ', which does not run it');
      END IF;
      RETURN NULL;
    END $$;
  CREATE FUNCTION count_beat() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO beats_done VALUES (NEW.incarnation, NEW.sent);
      RETURN NULL;
    END $$;
  ${tables.map((table) => `CREATE TRIGGER check_writer BEFORE INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION check_writer();`).join("\n")}
  CREATE TRIGGER check_owner AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION check_owner();
  CREATE TRIGGER count_beat AFTER UPDATE ON fences FOR EACH ROW WHEN (NEW.line = 0) EXECUTE FUNCTION count_beat();`;

/** Lets a database judge each write of the nodes when it is made. For a database on which no node has started yet. */
export async function watchWrites(databaseUrl: string): Promise<void> {
  await runOn(databaseUrl, schema);
}

/** The writes that no node may try or make: without its fence, to a turn of another node, or a beat for the second time. */
export async function wrongWrites(databaseUrl: string): Promise<readonly string[]> {
  const rows = await runOn(
    databaseUrl,
    `SELECT 'rows of a node whose fence is gone' AS what FROM unfenced_writes WHERE is_called
      UNION ALL SELECT DISTINCT what FROM wrong_writes
      UNION ALL SELECT 'beat ' || sent || ' of ' || incarnation || ' more than once' FROM beats_done
        GROUP BY incarnation, sent HAVING count(*) > 1`,
  );
  return rows.map(({ what }) => String(what));
}
