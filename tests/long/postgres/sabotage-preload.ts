import pg from "pg";

/** Loaded into a node: takes away one of the guards, so that the tests can show that they notice. */
const sabotage = process.env.SABOTAGE;

const { query } = pg.Client.prototype;

/** Each statement as a node without a fence would have it: it writes on after others have taken over, and does not learn of it. */
function withoutFence(text: string): string {
  return (
    text
      .replace(
        /fence AS \(UPDATE fences .*? RETURNING 1\)/,
        "fence AS (SELECT 1 WHERE $1::bigint > 0 AND $2::bigint > 0 AND $3::bigint >= 0)",
      )
      .replace(/EXISTS \(SELECT 1 FROM fences f WHERE .*?\) AS has_fence/, "true AS has_fence")
      // Its asks for budgets would tell it otherwise.
      .replace(
        "SELECT * FROM take_slices($1, $2, $3, $4::jsonb)",
        `$& UNION ALL SELECT name, want, 0, 0, 0, false FROM jsonb_to_recordset($4::jsonb) AS asked (name text, want float8)
          WHERE NOT EXISTS (SELECT 1 FROM fences WHERE incarnation = $1 AND line = 1)`,
      )
      .replace("DELETE FROM nodes WHERE incarnation = $1", "SELECT 1 WHERE $1::bigint IS NULL")
  );
}

/** A beat whose outcome is unknown counts as refused. */
function withoutAnotherTry(fault: unknown): never {
  if (fault instanceof pg.DatabaseError && fault.code?.startsWith("23") === true) throw fault;
  throw Object.assign(new pg.DatabaseError("given up", 0, "error"), { code: "22000" });
}

function isNamed(asked: unknown): asked is { readonly name: string; readonly text: string } {
  return typeof asked === "object" && asked !== null && "name" in asked && "text" in asked;
}

pg.Client.prototype.query = function (this: pg.Client, ...all: unknown[]) {
  const [asked, ...others] = all;
  if (!isNamed(asked)) return Reflect.apply(query, this, all);
  if (sabotage === "no fence")
    return Reflect.apply(query, this, [{ ...asked, text: withoutFence(asked.text) }, ...others]);
  const answer: Promise<unknown> = Reflect.apply(query, this, all);
  if (sabotage !== "no second try" || !asked.name.startsWith("beat ")) return answer;
  return answer.catch(withoutAnotherTry);
} as typeof query;
