import { runOn } from "./open-store.ts";

/** The database notes by its own clock, in the transaction of each change. */
const schema = `
  CREATE TABLE seen_looks (incarnation bigint NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE seen_starts (incarnation bigint NOT NULL, name text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE seen_deaths (incarnation bigint NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE seen_fence_ends (incarnation bigint NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE seen_owners (
    turn bigint NOT NULL, id text NOT NULL, before bigint, after bigint, at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE seen_slice_ends (
    incarnation bigint NOT NULL, name text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE wrong_heads (conversation_id text NOT NULL, before text, after text);
  CREATE TABLE wrong_slices (name text NOT NULL, incarnation bigint NOT NULL, amount float8, used float8, spent float8);

  CREATE FUNCTION see_look() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO seen_looks VALUES (NEW.incarnation); RETURN NULL; END $$;
  CREATE FUNCTION see_start() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO seen_starts VALUES (NEW.incarnation, NEW.name); RETURN NULL; END $$;
  CREATE FUNCTION see_fence_end() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO seen_fence_ends VALUES (OLD.incarnation); RETURN NULL; END $$;
  CREATE FUNCTION see_owner() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO seen_owners VALUES (NEW.number, NEW.id, OLD.node, NEW.node); RETURN NULL; END $$;
  CREATE FUNCTION see_slice_end() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO seen_slice_ends VALUES (OLD.incarnation, OLD.name); RETURN NULL; END $$;
  CREATE FUNCTION see_head() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      -- Messages are numbered in the order of their storage.
      IF NOT EXISTS (SELECT 1 FROM messages n JOIN messages o ON o.conversation_id = n.conversation_id AND o.number < n.number
          WHERE n.id = NEW.head_id AND o.id = OLD.head_id AND n.conversation_id = NEW.id) THEN
        INSERT INTO wrong_heads VALUES (NEW.id, OLD.head_id, NEW.head_id);
      END IF;
      RETURN NULL;
    END $$;
  CREATE FUNCTION see_slice() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO wrong_slices VALUES (NEW.name, NEW.incarnation, NEW.amount, NEW.used, NEW.spent); RETURN NULL; END $$;

  CREATE TRIGGER see_look AFTER UPDATE OF beat ON nodes FOR EACH ROW EXECUTE FUNCTION see_look();
  CREATE TRIGGER see_start AFTER INSERT ON nodes FOR EACH ROW EXECUTE FUNCTION see_start();
  CREATE TRIGGER see_fence_end AFTER DELETE ON fences FOR EACH ROW WHEN (OLD.line = 0) EXECUTE FUNCTION see_fence_end();
  CREATE TRIGGER see_owner AFTER UPDATE OF node ON turns FOR EACH ROW
    WHEN (OLD.node IS DISTINCT FROM NEW.node) EXECUTE FUNCTION see_owner();
  CREATE TRIGGER see_slice_end AFTER DELETE ON purse_slices FOR EACH ROW EXECUTE FUNCTION see_slice_end();
  CREATE TRIGGER see_head AFTER UPDATE OF head_id ON conversations FOR EACH ROW
    WHEN (OLD.head_id IS NOT NULL AND OLD.head_id IS DISTINCT FROM NEW.head_id) EXECUTE FUNCTION see_head();
  CREATE TRIGGER see_slice AFTER INSERT OR UPDATE ON purse_slices FOR EACH ROW
    WHEN (NEW.amount < NEW.used OR NEW.used < NEW.spent OR NEW.spent < 0) EXECUTE FUNCTION see_slice();`;

/**
 * Lets a database note when nodes look, die and own turns, and judge the heads of conversations and the slices of budgets. For one on which no
 * node has started yet.
 */
export async function watchNodes(databaseUrl: string): Promise<void> {
  await runOn(databaseUrl, schema);
}

/** Notes that the node of this name dies now. */
export async function noteDeath(databaseUrl: string, name: string): Promise<void> {
  await runOn(databaseUrl, "INSERT INTO seen_deaths SELECT incarnation FROM nodes WHERE name = $1", [name]);
}
