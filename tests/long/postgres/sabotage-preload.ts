import pg from "pg";
import type { Sabotage } from "./fault-stage.ts";

/** Loaded into a node: takes away one of its guards, so that the tests can show that they notice. */
const sabotage = process.env.SABOTAGE as Sabotage | undefined;

interface Asked {
  readonly name: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}
type Ask = (asked: Asked) => Promise<pg.QueryResult>;
type Row = Readonly<Record<string, unknown>>;

/** The events that a takeover has read in its one statement, by turn. */
const readAtTakeover = new Map<string, readonly Row[]>();

/** How each statement is asked without a guard. */
const sabotages: Readonly<Record<Sabotage, (asked: Asked, ask: Ask) => Promise<unknown>>> = {
  "no fence": (asked, ask) => ask({ ...asked, text: withoutFence(asked.text) }),
  // A beat whose outcome is unknown counts as refused.
  "no second try": (asked, ask) => (isBeat(asked) ? ask(asked).catch(giveUp) : ask(asked)),
  "no limits": (asked, ask) => ask({ ...asked, text: withoutLimits(asked) }),
  "no count": (asked, ask) =>
    ask({ ...asked, text: asked.text.replace("AND sent = $1 - 1 RETURNING", "RETURNING") }),
  "a claim by not exists": (asked, ask) => ask({ ...asked, text: claimByNotExists(asked.text) }),
  "a takeover in one statement": takeOverAtOnce,
  async "told before the commit"(asked, ask) {
    const answer = ask(asked);
    // Only the database knows whether a turn may begin.
    if (!isBeat(asked) || asked.name.slice("beat ".length).includes("b")) return answer;
    answer.catch(() => undefined);
    return { rows: [{ fenced: 1, began: null }] };
  },
};

/** A node that gives every budget all it wants, leaves tickets where they are and says that it has acted on revocations. */
function withoutLimits({ name, text }: Asked): string {
  switch (name) {
    case "takeSlices":
      return `SELECT name, want AS amount, 0 AS spent_elsewhere, 0 AS held_elsewhere, 0 AS unused_elsewhere, false AS has_left
        FROM jsonb_to_recordset($4::jsonb) AS asked (name text, want float8) WHERE $1::bigint + $2::bigint + $3::int IS NOT NULL`;
    case "redeemTicket":
      return "SELECT caller FROM tickets WHERE digest = $1 AND $2::text IS NOT NULL";
    case "revokedSince":
      return `SELECT * FROM (${text}) AS revoked WHERE false`;
    default:
      return text;
  }
}

function isBeat({ name }: Asked): boolean {
  return name.startsWith("beat ");
}

/** A node without a fence writes on after others have taken over, and does not learn of it. */
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

function giveUp(fault: unknown): never {
  if (fault instanceof pg.DatabaseError && fault.code?.startsWith("23") === true) throw fault;
  throw Object.assign(new pg.DatabaseError("given up", 0, "error"), { code: "22000" });
}

/** The claim finds the dead by itself, and waits for a row that another taker changes. */
function claimByNotExists(text: string): string {
  return text.replace(
    /WITH oldest AS \([\s\S]*SKIP LOCKED\)([\s\S]*)WHERE node = ANY \(\$2::bigint\[\]\)\s+AND \(number IN [\s\S]*\)\s+RETURNING/,
    "$1WHERE $2::bigint[] IS NOT NULL AND node <> $$1 AND NOT EXISTS (SELECT 1 FROM fences WHERE incarnation = node) RETURNING",
  );
}

/** The statement that deletes the fence reads the events too, as they were before it waited for the last beat. */
async function takeOverAtOnce(asked: Asked, ask: Ask): Promise<unknown> {
  if (asked.name === "deleteFence") {
    const text = `WITH gone AS (DELETE FROM fences WHERE incarnation = $1)
      SELECT turn, first_seq, part, e.version, steps FROM turns JOIN events e ON turn = number WHERE node = $1 ORDER BY turn, first_seq, part`;
    const answer = await ask({ ...asked, text });
    for (const [turn, rows] of Map.groupBy(answer.rows as Row[], (row) => String(row.turn)))
      readAtTakeover.set(turn, rows);
    return answer;
  }
  const answer = await ask(asked);
  if (asked.name !== "eventsOf") return answer;
  const turns = new Set(answer.rows.map(({ turn }) => String(turn)));
  return {
    ...answer,
    rows: [...turns].flatMap(
      (turn) => readAtTakeover.get(turn) ?? answer.rows.filter((row) => String(row.turn) === turn),
    ),
  };
}

function isNamed(asked: unknown): asked is Asked {
  return typeof asked === "object" && asked !== null && "name" in asked && "text" in asked;
}

const { query } = pg.Client.prototype;

pg.Client.prototype.query = function (this: pg.Client, ...all: unknown[]) {
  const [asked, ...others] = all;
  // A test holds statements up for longer than they may take.
  if (typeof asked === "string")
    return Reflect.apply(query, this, [
      asked.replace(/statement_timeout = '5s'/, "statement_timeout = '60s'"),
      ...others,
    ]);
  if (sabotage === undefined || !isNamed(asked)) return Reflect.apply(query, this, all);
  const answer = sabotages[sabotage](asked, (changed) => Reflect.apply(query, this, [changed]));
  const callback = others.at(-1);
  if (typeof callback !== "function") return answer;
  answer.then(
    (result) => callback(undefined, result),
    (fault) => callback(fault),
  );
  return undefined;
} as typeof query;
